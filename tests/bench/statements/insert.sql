insert into order_lines (order_id, variant_id, position, quantity, price, currency, note)
values ($1, $2, 1, 3, 19.99, 'EUR', 'gift wrap, please'), ($1, $3, 2, 1, 249.00, 'EUR', null)
on conflict (order_id, position) do update set quantity = excluded.quantity, price = excluded.price
returning id, position
