-- A day of a warehouse: staging, cleaning, a dimension, daily facts, late data, corrections, a merge, a
-- report; then somebody breaks a partition and it is brought back.
--
-- The project allows full scans for people and forbids them to jobs.
setproject odps.timemachine.retention.days=7;
set odps.sql.type.system.odps2=true;
set odps.sql.allow.fullscan=false;

-- =====================================================================
-- 1. Tables
-- =====================================================================
create table if not exists ods_orders (
  order_id    string  comment 'as the shop sends it',
  customer    string,
  items       string  comment 'JSON',
  amount      string,
  currency    string,
  created_at  string,
  channel     string
)
comment 'orders as they come in'
partitioned by (ds string comment 'day of arrival', hh string comment 'hour')
lifecycle 30;

create table if not exists dwd_orders (
  order_id    bigint  not null,
  customer_id bigint,
  amount      decimal(18,2),
  currency    string,
  created_at  datetime,
  channel     string,
  item_count  bigint,
  tags        array<string>
)
comment 'orders, cleaned'
partitioned by (ds string)
lifecycle 365;

create table if not exists dwd_order_items (
  order_id bigint,
  line     bigint,
  sku      string,
  quantity bigint,
  price    decimal(18,2)
)
partitioned by (ds string);

create table if not exists dim_customer (
  customer_id bigint,
  code        string,
  name        string,
  region      string,
  since       date,
  vip         boolean
);

create table if not exists dim_customer_current (
  customer_id bigint,
  name        string,
  region      string,
  order_total decimal(18,2),
  updated_at  datetime
)
tblproperties ('transactional'='true');

create table if not exists dws_daily (
  region        string,
  channel       string,
  order_count   bigint,
  buyer_count   bigint,
  amount        decimal(18,2),
  average       decimal(18,2)
)
partitioned by (ds string);

create table if not exists ads_top_sku (
  sku      string,
  quantity bigint,
  place    bigint
)
partitioned by (ds string);

create table if not exists rates (
  currency string,
  rate     decimal(10,4)
);

show tables;

-- =====================================================================
-- 2. Reference data
-- =====================================================================
insert overwrite table rates values ('CNY', 1.0), ('USD', 7.1), ('EUR', 7.75);

insert overwrite table dim_customer
select * from values
  (1, 'C001', 'Ada',    'north', date'2018-03-01', true),
  (2, 'C002', 'Bo',     'south', date'2019-07-15', false),
  (3, 'C003', '  Cy ',  'south', date'2019-12-31', false),
  (4, 'C004', null,     'west',  date'2020-01-01', false)
  t (customer_id, code, name, region, since, vip);

select count(*) as customers, count(name) as named, count_if(vip) as vips from dim_customer;

-- =====================================================================
-- 3. Staging: two hours of one day, one of the next
-- =====================================================================
alter table ods_orders add if not exists partition (ds='20200217', hh='09') partition (ds='20200217', hh='10');

insert into table ods_orders partition (ds='20200217', hh='09')
values
  ('1001', 'C001', '[{"sku":"tea","n":2,"p":"3.50"},{"sku":"mug","n":1,"p":"12.00"}]', '19.00', 'CNY', '2020-02-17 09:01:11', 'web|new'),
  ('1002', 'C002', '[{"sku":"milk","n":6,"p":"1.20"}]', '7.20', 'cny', '2020-02-17 09:15:00', 'app'),
  ('1003', 'C009', '[{"sku":"tea","n":1,"p":"3.50"}]', '3.50', 'CNY', '2020-02-17 09:20:00', 'web'),
  ('x1004', 'C001', '[]', '0', 'CNY', '2020-02-17 09:30:00', 'web');

insert into table ods_orders partition (ds='20200217', hh='10')
values
  ('1005', 'C003', '[{"sku":"tea","n":10,"p":"3.30"}]', '33.00', 'USD', '2020-02-17 10:00:00', 'app|bulk'),
  ('1005', 'C003', '[{"sku":"tea","n":10,"p":"3.30"}]', '33.00', 'USD', '2020-02-17 10:00:00', 'app|bulk'),
  ('1006', 'C004', 'not json', '5.5', 'EUR', '2020-02-17 10:59:59', 'phone'),
  ('1007', 'C002', '[{"sku":"mug","n":2,"p":"11.00"}]', 'n/a', 'CNY', '2020-02-17 10:59:59', 'web');

insert into table ods_orders partition (ds, hh)
select '1008', 'C001', '[{"sku":"milk","n":1,"p":"1.30"}]', '1.30', 'CNY', '2020-02-18 08:00:00', 'web', '20200218', '08';

show partitions ods_orders;
show partitions ods_orders partition (ds='20200217');

-- A job that forgets the partition is stopped.
select count(*) from ods_orders;
select hh, count(*) as n from ods_orders where ds = '20200217' group by hh order by hh limit 10;

-- =====================================================================
-- 4. Cleaning
-- =====================================================================
set odps.sql.udf.strict.mode=false;

with raw as (
  select
    cast(order_id as bigint) as order_id,
    trim(customer) as code,
    items,
    cast(amount as decimal(18,2)) as amount,
    toupper(currency) as currency,
    cast(created_at as datetime) as created_at,
    split(channel, '\\|') as parts,
    row_number() over (partition by order_id order by created_at) as rn
  from ods_orders
  where ds = '20200217' and order_id rlike '^[0-9]+$'
)
insert overwrite table dwd_orders partition (ds='20200217')
select /*+ mapjoin(c) */
  r.order_id,
  c.customer_id,
  r.amount,
  r.currency,
  r.created_at,
  r.parts[0] as channel,
  size(split(get_json_object(r.items, '$[*].sku'), ',')) as item_count,
  if(size(r.parts) > 1, slice(r.parts, 2, size(r.parts) - 1), array()) as tags
from raw r
left outer join dim_customer c on r.code = c.code
where r.rn = 1 and r.amount is not null;

set odps.sql.udf.strict.mode=true;

select * from dwd_orders where ds = '20200217' order by order_id limit 10;

-- What did not make it, and why.
select o.order_id,
  case
    when not o.order_id rlike '^[0-9]+$' then 'bad id'
    when o.amount rlike '[^0-9.]' then 'bad amount'
    else 'other'
  end as reason
from ods_orders o
left anti join dwd_orders d on d.ds = '20200217' and o.order_id = cast(d.order_id as string)
where o.ds = '20200217'
order by o.order_id limit 10;

-- The lines of the orders.
insert overwrite table dwd_order_items partition (ds)
select
  cast(o.order_id as bigint),
  i.pos + 1,
  get_json_object(i.item, '$.sku'),
  cast(get_json_object(i.item, '$.n') as bigint),
  cast(get_json_object(i.item, '$.p') as decimal(18,2)),
  o.ds
from (
  select distinct order_id, items, ds
  from ods_orders
  where ds between '20200217' and '20200218' and order_id rlike '^[0-9]+$' and items like '[{%'
) o
lateral view posexplode(split(regexp_replace(substr(o.items, 2, length(o.items) - 2), '\\},\\{', '}|{'), '\\|')) i as pos, item;

select * from dwd_order_items where ds >= '20200217' order by ds, order_id, line limit 20;
show partitions dwd_order_items;

-- =====================================================================
-- 5. Daily figures
-- =====================================================================
insert overwrite table dws_daily partition (ds='20200217')
select
  nvl(c.region, 'unknown'),
  o.channel,
  count(*),
  count(distinct o.customer_id),
  sum(o.amount * r.rate),
  avg(o.amount * r.rate)
from dwd_orders o
left outer join dim_customer c on o.customer_id = c.customer_id
join rates r on o.currency = r.currency
where o.ds = '20200217'
group by nvl(c.region, 'unknown'), o.channel;

select region, channel, order_count, buyer_count, amount, average
from dws_daily where ds = max_pt('dws_daily') order by region, channel limit 20;

-- With sums per region and over all.
select region, grouping(region) as g, sum(order_count) as orders, sum(amount) as amount
from dws_daily where ds = '20200217'
group by region with rollup
order by g, region limit 20;

-- Two partitions from one reading.
from dwd_order_items
insert overwrite table ads_top_sku partition (ds='20200217')
  select sku, sum(quantity), cast(null as bigint) where ds = '20200217' group by sku
insert overwrite table ads_top_sku partition (ds='20200218')
  select sku, sum(quantity), 1 where ds = '20200218' group by sku;

-- With their places.
insert overwrite table ads_top_sku partition (ds)
select sku, quantity, place, ds from (
  select ds, sku, sum(quantity) as quantity, rank() over (partition by ds order by sum(quantity) desc) as place
  from dwd_order_items where ds >= '20200217' group by ds, sku
) t where place <= 2;

select * from ads_top_sku where ds >= '20200217' order by ds, place, sku limit 20;

-- =====================================================================
-- 6. Late data: an order of the 17th arrives on the 18th
-- =====================================================================
insert into table ods_orders partition (ds='20200218', hh='09')
values ('1009', 'C003', '[{"sku":"mug","n":1,"p":"12.00"}]', '12.00', 'CNY', '2020-02-17 23:59:59', 'web');

insert overwrite table dwd_orders partition (ds='20200217')
select order_id, customer_id, amount, currency, created_at, channel, item_count, tags
from dwd_orders where ds = '20200217'
union all
select cast(o.order_id as bigint), c.customer_id, cast(o.amount as decimal(18,2)), o.currency,
  cast(o.created_at as datetime), o.channel, 1, array()
from ods_orders o join dim_customer c on o.customer = c.code
left anti join (select order_id from dwd_orders where ds = '20200217') d on d.order_id = cast(o.order_id as bigint)
where o.ds = '20200218' and to_char(cast(o.created_at as datetime), 'yyyymmdd') = '20200217';

select order_id, customer_id, amount from dwd_orders where ds = '20200217' order by order_id limit 20;
show history for table dwd_orders;

-- The figures of the day again.
insert overwrite table dws_daily partition (ds='20200217')
select nvl(c.region, 'unknown'), o.channel, count(*), count(distinct o.customer_id), sum(o.amount * r.rate), avg(o.amount * r.rate)
from dwd_orders o
left outer join dim_customer c on o.customer_id = c.customer_id
join rates r on o.currency = r.currency
where o.ds = '20200217'
group by nvl(c.region, 'unknown'), o.channel;

select region, sum(amount) as amount from dws_daily where ds = '20200217' group by region order by region limit 10;

-- =====================================================================
-- 7. Totals per customer, merged
-- =====================================================================
insert into table dim_customer_current values (1, 'Ada', 'north', 100.00, datetime'2020-02-16 00:00:00'), (9, 'Old', 'east', 1.00, datetime'2019-01-01 00:00:00');

merge into dim_customer_current as t
using (
  select c.customer_id, trim(c.name) as name, c.region, sum(o.amount * r.rate) as total
  from dwd_orders o
  join dim_customer c on o.customer_id = c.customer_id
  join rates r on o.currency = r.currency
  where o.ds = '20200217'
  group by c.customer_id, trim(c.name), c.region
) s
on t.customer_id = s.customer_id
when matched then update set t.order_total = t.order_total + s.total, t.updated_at = datetime'2020-02-18 00:00:00'
when not matched then insert values (s.customer_id, coalesce(s.name, concat('customer ', cast(s.customer_id as string))), s.region, s.total, datetime'2020-02-18 00:00:00');

select * from dim_customer_current order by customer_id limit 10;

update dim_customer_current set region = 'gone' where datediff(datetime'2020-02-18 00:00:00', updated_at, 'dd') > 365;
delete from dim_customer_current where region = 'gone';
select customer_id, region from dim_customer_current order by customer_id limit 10;

-- =====================================================================
-- 8. A report
-- =====================================================================
create or replace view v_report (day comment 'yyyy-mm-dd', region, amount, share) comment 'for the morning mail'
as
select to_char(to_date(ds, 'yyyymmdd'), 'yyyy-mm-dd'), region, sum(amount),
  round(sum(amount) / sum(sum(amount)) over (partition by ds) * 100, 1)
from dws_daily
where ds >= '20200217'
group by ds, region;

select * from v_report order by amount desc limit 10;
select day, wm_concat(',', region) within group (order by region) as regions from v_report group by day;

-- Running totals and gaps between the orders of a customer.
select customer_id, order_id, amount,
  sum(amount) over (partition by customer_id order by created_at) as running,
  datediff(created_at, lag(created_at) over (partition by customer_id order by created_at), 'mi') as gap_minutes,
  to_char(created_at, 'hh:mi') as at
from dwd_orders where ds = '20200217' and customer_id is not null
order by customer_id, order_id limit 20;

-- =====================================================================
-- 9. Somebody runs the wrong job; it is undone
-- =====================================================================
insert overwrite table dwd_orders partition (ds='20200217')
select order_id, customer_id, amount * 100, currency, created_at, channel, item_count, tags from dwd_orders where ds = '20200217';
alter table ods_orders drop partition (ds='20200217');
select sum(amount) as wrong from dwd_orders where ds = '20200217';

show history for table dwd_orders partition (ds='20200217');
restore table dwd_orders partition (ds='20200217') to lsn '3';
-- LSN 3 is the day with its late order.
select sum(amount) as right_again from dwd_orders where ds = '20200217';

show history for table ods_orders partition (ds='20200217');
restore table ods_orders partition ('id'='00000000000000000000000000000009') partition ('id'='0000000000000000000000000000000a');
show partitions ods_orders;

-- =====================================================================
-- 10. Housekeeping
-- =====================================================================
alter table ods_orders merge smallfiles;
alter table ods_orders merge partition (ds='20200217') overwrite partition (ds='20200217', hh='all');
select hh, count(*) as n from ods_orders where ds = '20200217' group by hh order by hh limit 10;
alter table dwd_orders add columns (source string comment 'where it comes from');
insert into table dwd_orders partition (ds='20200218') (order_id, amount, source) values (2000, 1.00, 'manual');
select order_id, amount, source from dwd_orders where ds >= '20200217' order by order_id limit 20;
alter table dwd_orders touch partition (ds='20200218');
clone table dim_customer to dim_customer_bak;
truncate table dim_customer;
select count(*) from dim_customer;
insert overwrite table dim_customer select * from dim_customer_bak;
drop table dim_customer_bak;
drop view v_report;
drop table if exists nothing;
show tables;
