select o.id, o.placed_at, c.name, c.email, a.street, a.city, co.name as country, p.title, p.sku, v.color, v.size,
    l.quantity, l.price, w.code as warehouse, s.tracking_number, pm.method
from orders o
join customers c on c.id = o.customer_id
join addresses a on a.id = o.shipping_address_id
join countries co on co.code = a.country_code
join order_lines l on l.order_id = o.id
join variants v on v.id = l.variant_id
join products p on p.id = v.product_id
left join shipments s on s.order_id = o.id and s.cancelled_at is null
left join warehouses w on w.id = s.warehouse_id
left join payments pm on pm.order_id = o.id and pm.state in ('captured', 'settled')
where o.customer_id = $1 and o.placed_at >= $2 and o.state <> 'draft'
order by o.placed_at desc, l.position
limit 50
