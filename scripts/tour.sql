-- A tour of the main job: every change is a version, and any version comes back at once.
-- cargo run --release -- --warehouse target/tour --project tour -f scripts/tour.sql

-- Begin afresh: with a retention of 0 days a drop is final.
drop table if exists orders;
drop table if exists orders_v2;
drop table if exists daily;
setproject odps.timemachine.retention.days=0;
setproject odps.timemachine.retention.days=1;

create table orders (id bigint, item string, price decimal(10, 2)) comment 'what was sold';
insert into orders values (1, 'tea', 3.20), (2, 'coffee', 4.10);
insert into orders values (3, 'milk', 1.05);

-- A mistake: the whole table is overwritten.
insert overwrite table orders select id, item, price * 100 from orders;
select * from orders order by id limit 10;

-- History knows, and brings it back.
show history for table orders;
restore table orders to LSN '3';
select * from orders order by id limit 10;

-- An old version beside the new one.
restore table orders to LSN '2' as orders_v2;
select count(*) as orders_then from orders_v2;

-- The past in a query, and who made it.
select now.n as n_now, then.n as n_then
from (select count(*) as n from orders) now join (select count(*) as n from orders version as of 2) then on true;
show history for table orders extended limit 2;

-- A dropped table comes back with everything it had.
drop table orders;
restore table orders;
select sum(price) as total from orders;

-- Partitions have versions of their own.
create table daily (item string, n bigint) partitioned by (ds string);
insert overwrite table daily partition (ds='20260101') values ('tea', 3), ('milk', 1);
insert overwrite table daily partition (ds='20260102') values ('tea', 5);
insert overwrite table daily partition (ds='20260101') values ('tea', 0);
list partitions daily;
restore table daily partition (ds='20260101') to LSN '2';
select * from daily order by ds, item limit 10;
alter table daily drop partition (ds='20260102');
restore table daily to LSN '3';
list partitions daily;
show history for table daily;

-- How long the past is kept.
setproject odps.timemachine.retention.days=7;
setproject;
show history for tables;
show recyclebin;

-- What is purged is gone for good.
purge table daily;
show history for table daily;
