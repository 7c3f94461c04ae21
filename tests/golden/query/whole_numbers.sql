-- What the engine counts without a sign is BIGINT in every expression.
create table t (k string, v bigint);
insert into t values ('a', 3), ('a', 1), ('b', 2);
select -rn as m, rn - 5 as n, rn * -1 as o, abs(rn - 9) as p from (select row_number() over (order by v) as rn from t) x order by rn limit 10;
select k, -rank() over (partition by k order by v desc) as r, dense_rank() over (order by k) - 2 as d, -ntile(2) over (order by v) as n from t order by k, r limit 10;
select date_sub(datetime'2020-01-10 00:00:00', rn) as day, case when rn > 1 then -1 else rn end as c from (select row_number() over (order by v) as rn from t) x order by day limit 10;
select -approx_distinct(k) as a, -approx_distinct(v) as b from t;
select k, approx_distinct(v) over (partition by k) - 3 as c from t order by k limit 10;
select v from t qualify row_number() over (partition by k order by v) - 2 = -1 order by v limit 10;
select max(-rn) as m, sum(-rn) as s, avg(rn) as a from (select row_number() over (order by v) as rn from t) x;
select coalesce(rn, -1) as c, if(rn = 1, -rn, rn) as i, greatest(rn, -7) as g, rn in (-1, 1) as b, rn between -1 and 1 as w from (select row_number() over (order by v) as rn from t) x order by c limit 10;
select rn from (select row_number() over (order by v) as rn from t) x union all select -1 from t order by rn limit 10;
create table made as select row_number() over (order by v) as rn, approx_distinct(k) over () as ad from t;
desc made;
select -size(array(1, 2)) as a, -length('abc') as b, -ascii('a') as c, -hash('a') as d, -instr('abc', 'c') as e, -count(*) as f, -grouping(k) as g from t group by k grouping sets ((k), ()) order by f, g limit 10;
