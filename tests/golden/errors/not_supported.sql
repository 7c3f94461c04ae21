-- A statement odpsh does not know yet is refused by name.
create table t (a string) partitioned by (ds string);
create external table x (a string) location '/tmp';
create table u (a json);
create table u (a string) row format delimited;
create materialized view mv as select 1;
create function f as 'x' using 'y.jar';
create schema s;





create table tx (a string, b string) tblproperties ('transactional'='true');
clone table tx to ty;
load overwrite table t from location 'oss://bucket/x' stored as parquet;
unload from t into location '/tmp/x' stored as parquet;
select * from t tablesample (10m);
select * from t pivot (count(a) for ds in (select '1'));
select @x;
select 'a' ilike 'A';
select * from a.b.c;
tunnel upload x t;
use p.s;
show tables;
