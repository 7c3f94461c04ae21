-- Each branch of a set operation has its own order and limit; those behind the last one are of the whole.
create table t (a bigint);
insert into t values (3), (1), (2);
select a from (select 1 as a) x limit 1 union all select 2 order by a limit 9;
select a from t order by a limit 1 union all select a + 10 from t order by a limit 2;
select a from t order by a desc limit 1 union all select a from t order by a limit 1 union all select 9 order by a limit 9;
with c as (select a from t order by a limit 2) select a from c order by a desc limit 1 union all select a from c order by a limit 9;
select a from (select a from t order by a limit 1 union all select 7) x order by a limit 5;
select a from t order by a limit 2 intersect select 2 order by a limit 9;
select a from t order by a limit 2 except select 2 order by a limit 9;
select sum(a) over (order by a) as s from t order by s limit 1 union all select count(*) from t order by s limit 9;
from t select a order by a limit 1 union all select 8 order by a limit 9;
insert overwrite table t select a from t order by a limit 1 union all select 5;
select a from t order by a limit 5;
