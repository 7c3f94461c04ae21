-- flags: --format json
create table t (a string, b bigint, c double);
insert into t values ('x', 1, 1.5), (null, null, null), ('', 2, 1e10), ('a,"b"', 3, 0.1);
select * from t order by b limit 9;
show history for table t;
show tables;
desc t;
setproject;
