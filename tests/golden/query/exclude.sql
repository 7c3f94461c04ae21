-- EXCLUDE leaves rows out of the frame of a window: the current one, its peers, or both.
create table t1 (g string, o bigint, a bigint, d decimal(10,2), f double);
insert into t1 values ('x',1,1,1.5BD,0.5D),('x',1,2,null,1.5D),('x',2,3,2.25BD,null),('x',3,null,4BD,2.5D),('x',3,5,5BD,3.5D),('y',null,6,1BD,1D),('y',null,7,2BD,2D);
set odps.sql.validate.orderby.limit=false;
select g, o, a, sum(a) over (partition by g order by o, a rows between unbounded preceding and unbounded following exclude current row) c, sum(a) over (partition by g order by o rows between unbounded preceding and unbounded following exclude group) p, count(*) over (partition by g order by o range between unbounded preceding and current row exclude ties) t, count(a) over (partition by g order by o groups between 1 preceding and current row exclude no others) n from t1 order by g, o, a;
-- Numbers of every kind, and aggregates that gather.
select g, a, sum(d) over w, avg(d) over w, sum(f) over w, max(f) over w, min(a) over w, avg(a) over w from t1 window w as (partition by g order by o, a rows between 1 preceding and 1 following exclude current row) order by g, a;
select a, collect_list(a) over w l, wm_concat('-', a) over w c, collect_set(g) over w s, median(a) over w m, stddev(a) over w d, max_by(a, f) over w b from t1 window w as (partition by g order by o, a rows between unbounded preceding and unbounded following exclude current row) order by a;
select a, first_value(a) over w, last_value(a) over w, nth_value(a, 2) over w, first_value(a, true) over w, any_value(a) over w from t1 window w as (order by a rows between unbounded preceding and unbounded following exclude current row) order by a;
select a, percentile(a, 0.5) over w, count_if(a > 2) over w, numeric_histogram(9, a) over w, histogram(g) over w from t1 window w as (order by a rows between unbounded preceding and unbounded following exclude group) order by a;
-- FILTER and DISTINCT, windows without an order, and frames that do not hold the row.
select a, sum(a) filter (where a > 1) over (order by a rows between unbounded preceding and current row exclude current row) from t1 order by a;
select o, a, count(distinct g) over (partition by 1 rows between unbounded preceding and unbounded following exclude current row), count(distinct o) over (rows between unbounded preceding and unbounded following exclude group), sum(a) over (rows between unbounded preceding and unbounded following exclude ties) from t1 order by a;
select a, sum(a) over (order by a rows between 2 preceding and 1 preceding exclude current row) b, sum(a) over (order by a rows between 1 following and 2 following exclude group) f, count(*) over (order by a desc range between 1 preceding and 1 following exclude current row) r from t1 order by a;
-- Windows made of windows.
select a, sum(a) over (w rows between unbounded preceding and unbounded following exclude current row), sum(a) over v, row_number() over w from t1 window w as (partition by g order by a), v as (w rows between 1 preceding and current row) order by a;
select a from t1 window w as (order by a rows between unbounded preceding and unbounded following exclude current row) qualify sum(a) over w > 22 order by a;
select a from t1 window w as (order by a) order by row_number() over w desc limit 2;
select s.a, (select max(x) from (select sum(b) over w x from values (1),(2) u(b) window w as (order by b)) y) from (select a from t1) s order by s.a limit 1;
-- What is refused.
select lag(a) over () from t1;
select rank() over (order by a range between 1 preceding and current row) from t1;
select count(distinct a) over (order by a rows between 1 preceding and current row exclude group) from t1;
select row_number() over (order by a rows between unbounded preceding and current row exclude ties) from t1;
select sum(a) over w from t1;
select sum(a) over (w partition by g) from t1 window w as (order by a);
select sum(a) over (w order by g) from t1 window w as (order by a);
select sum(a) over (w order by g) from t1 window w as (rows between 1 preceding and current row);
select sum(a) over w from t1 window w as (order by a), w as (order by g);
-- It is a name elsewhere.
select exclude, group from (select 1 as exclude, 2 as `group`) x;
select exclude from (select 3 as exclude) x;
-- Windows over rows of which nothing else is asked.
select count(*) from (select row_number() over (order by rand()) r from t1) x where r < 3;
select count(*) from (select cluster_sample(4) over () k from t1) x where k;
select count(*), count(k) from (select cluster_sample(2, cast(null as bigint)) over () k from t1) x;
select count(*) from (select cluster_sample(3, 1) over () k from t1) x where k;
select cluster_sample(0) over () from t1;
