-- Aggregates with an order: distinct or not, several in one SELECT, in groups and in windows.
create table t (g bigint, k bigint, v string);
insert into t values (1, 2, 'x'), (1, 1, 'b'), (1, 3, 'b'), (1, 4, null), (2, 9, 'q'), (3, 8, null);
select wm_concat(distinct ',', v) within group (order by v) as d from t;
select g, wm_concat(',', v) within group (order by k desc) as a, wm_concat(',', v) within group (order by v, k) as b, wm_concat(distinct ',', k) within group (order by cast(k as string) desc) as c, wm_concat(distinct ',', v) within group (order by v desc) as d from t group by g order by g limit 10;
select g, collect_list(v) within group (order by k desc) as a, collect_set(v) within group (order by v) as b, collect_list(distinct v) within group (order by v desc) as c, count(distinct v) as e, sum(k) as f from t group by g order by g limit 10;
select wm_concat('-', k) within group (order by v nulls last, k) as l, wm_concat('-', k) within group (order by v desc nulls first, k) as f, wm_concat('-', k) within group (order by v, k) as n from t;
select wm_concat('-', v) within group (order by k desc) filter (where k > 1) as f, wm_concat('-', v) within group (order by k) filter (where k > 99) as n from t;
select wm_concat(',', concat(v, k)) within group (order by length(v), k * -1) as e from t;
select g, k, wm_concat(',', v) within group (order by k desc) over (partition by g) as w, max_by(v, k) over (partition by g order by k) as m, min_by(v, k) over (partition by g order by k) as n from t order by g, k limit 10;
select max_by(v, k) as a, min_by(v, k) as b, max_by(k, v) as c, wm_concat(',', v) within group (order by k) as d from t where g = 1;
select wm_concat(',', v) within group (order by k) as n from t where g = 99;
-- With DISTINCT the order is by what is joined, as the text that it becomes.
select wm_concat(distinct '-', v) within group (order by k) as first_seen, wm_concat(distinct '-', v) within group (order by k desc) as last_seen from t where g = 1;
select wm_concat(distinct '-', k) within group (order by k) from t;
select wm_concat('-', true) from t;
select wm_concat('-', array(1)) from t;
