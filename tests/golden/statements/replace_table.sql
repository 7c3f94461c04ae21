-- CREATE OR REPLACE TABLE drops the table that is there, and what is dropped can be brought back.
create or replace table t (a bigint, b string) comment 'first';
insert into t values (1, 'x'), (2, 'y');
create or replace table t (c string) partitioned by (ds string);
select * from t;
desc t;
show history for tables;
show history for table t;
insert into t partition (ds = '1') values ('p');
show history for table t('id'='00000000000000000000000000000001');
-- From a query, which may read what is replaced; a query that fails leaves all as it was.
create or replace table t as select concat(c, '!') as d, ds from t;
select * from t;
create or replace table t as select nope from t;
select * from t;
-- Undone as a drop is: by the id, under a name that is free.
restore table t('id'='00000000000000000000000000000001');
drop table t;
restore table t('id'='00000000000000000000000000000001');
select * from t order by a limit 10;
show history for tables;
-- What it does not take.
create view v as select 1 as one;
create or replace table v (a bigint);
create or replace table if not exists t (a bigint);
create or replace table t like v;
create or replace table t (a bigint, a string);
select * from t order by a limit 10;
