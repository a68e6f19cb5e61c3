with expired as (
    delete from carts
    where updated_at < now() - interval '30 days' and not exists (select 1 from orders o where o.cart_id = carts.id)
    returning id, customer_id, total
), archived as (
    insert into archived_carts (cart_id, customer_id, total, archived_at)
    select id, customer_id, total, now() from expired
    returning customer_id, total
)
select customer_id, count(*) as carts, coalesce(sum(total), 0) as lost
from archived
group by customer_id
having sum(total) > 100
order by lost desc
