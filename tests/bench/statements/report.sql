-- Revenue by region, category and month, beside the month and the year before; for the board's deck.
with recursive regions as (
    select r.id, r.parent_id, r.name, r.name::text as path, 1 as level
    from sales_regions r
    where r.parent_id is null
    union all
    select r.id, r.parent_id, r.name, parent.path || ' / ' || r.name, parent.level + 1
    from sales_regions r
    join regions parent on parent.id = r.parent_id
    where parent.level < 8
),
months as (
    select date_trunc('month', m)::date as month, (date_trunc('month', m) + interval '1 month')::date as next_month
    from generate_series($1::date, $2::date, interval '1 month') as m
),
lines as (
    select
        l.id,
        o.customer_id,
        o.region_id,
        p.category_id,
        date_trunc('month', o.placed_at at time zone 'Europe/Berlin')::date as month,
        l.quantity * l.price * (1 - coalesce(d.percentage, 0) / 100.0) as revenue,
        l.quantity * coalesce(c.unit_cost, p.default_cost, 0) as cost,
        case
            when o.channel in ('web', 'app', 'marketplace') then 'online'
            when o.channel = 'store' then 'retail'
            when o.channel like 'b2b%' then 'wholesale'
            else 'other'
        end as channel
    from order_lines l
    join orders o on o.id = l.order_id
    join variants v on v.id = l.variant_id
    join products p on p.id = v.product_id
    left join discounts d on d.order_line_id = l.id and d.approved_by is not null
    left join lateral (
        select pc.unit_cost
        from product_costs pc
        where pc.product_id = p.id and pc.valid_from <= o.placed_at
        order by pc.valid_from desc
        limit 1
    ) c on true
    where o.state not in ('draft', 'cancelled', 'fraud')
        and o.placed_at >= $1 and o.placed_at < $2
        and not exists (
            select 1 from refunds f
            where f.order_line_id = l.id and f.amount >= l.quantity * l.price
        )
),
monthly as (
    select
        month, region_id, category_id, channel,
        count(*) as line_count,
        count(distinct customer_id) as customers,
        sum(revenue) as revenue,
        sum(revenue) - sum(cost) as margin,
        percentile_cont(0.5) within group (order by revenue) as median_line,
        sum(revenue) filter (where revenue > 1000) as large_lines
    from lines
    group by grouping sets ((month, region_id, category_id, channel), (month, region_id), (month))
),
compared as (
    select
        m.*,
        lag(m.revenue) over (partition by m.region_id, m.category_id, m.channel order by m.month) as last_month,
        lag(m.revenue, 12) over (partition by m.region_id, m.category_id, m.channel order by m.month) as last_year,
        avg(m.revenue) over (
            partition by m.region_id, m.category_id, m.channel
            order by m.month
            rows between 2 preceding and current row
        ) as moving_average,
        rank() over (partition by m.month order by m.revenue desc nulls last) as position
    from monthly m
)
select
    to_char(months.month, 'YYYY-MM') as "Month",
    coalesce(regions.path, 'All regions') as "Region",
    coalesce(categories.title, 'All categories') as "Category",
    coalesce(compared.channel, 'all') as "Channel",
    compared.line_count as "Lines",
    compared.customers as "Customers",
    round(compared.revenue::numeric, 2) as "Revenue",
    round(compared.margin::numeric, 2) as "Margin",
    round(100.0 * compared.margin / nullif(compared.revenue, 0), 1) as "Margin %",
    round(100.0 * (compared.revenue - compared.last_month) / nullif(compared.last_month, 0), 1) as "Month on month %",
    round(100.0 * (compared.revenue - compared.last_year) / nullif(compared.last_year, 0), 1) as "Year on year %",
    round(compared.moving_average::numeric, 2) as "Three months",
    case
        when compared.last_year is null then 'new'
        when compared.revenue > compared.last_year * 1.2 then 'growing'
        when compared.revenue < compared.last_year * 0.8 then 'shrinking'
        else 'steady'
    end as "Trend",
    string_agg(distinct campaigns.name, ', ' order by campaigns.name) as "Campaigns"
from months
left join compared on compared.month = months.month
left join regions on regions.id = compared.region_id
left join categories on categories.id = compared.category_id
/* a campaign counts for every month that it touches */
left join campaigns on campaigns.starts_on < months.next_month and campaigns.ends_on >= months.month
    and (campaigns.region_id = compared.region_id or campaigns.region_id is null)
where compared.position <= 50 or compared.region_id is null
group by months.month, regions.path, categories.title, compared.channel, compared.line_count, compared.customers,
    compared.revenue, compared.margin, compared.last_month, compared.last_year, compared.moving_average
order by months.month, "Region" nulls first, "Category" nulls first, "Revenue" desc
limit 5000
