-- A constant before a column says the same as behind it, also where conditions come together.
create table t (k bigint, x double, d decimal(10,2), s string);
insert into t values (2, 0.0, 2, 'a'), (3, -0.0, 3.5, 'b'), (null, null, null, null);
select k from t where k = 2 and 2 = k;
select k from t where k >= 2 and 2 < k;
select k from t where 3 > k and k <= 3;
select k from t where 2 <=> k and k <=> 2;
select k from t where 1 + 1 = k and k = 2;
select k from t where 'a' = s and s = 'a';
select k from t where 2 = d and d = 2.00BD and d = 2.0;
select k from t where x = 0.0 and -0.0 = x and x = -0.0 order by k limit 5;
select r2.k from t r1 left join t r2 on r1.k = r2.k and 2 = r1.k order by k limit 5;
select r2.k from t r1 right join t r2 on r1.k = r2.k and 2 = r2.k order by k limit 5;
select r1.k as a, r2.k as b from t r1 full join t r2 on r1.k = r2.k and 2 = r2.k order by a, b limit 9;
-- The distinct values of a constant column.
create table e (k bigint);
select count(distinct c), count(distinct n) from (select 2 as c, cast(null as string) as n from e) q;
select count(distinct c), count(distinct n) from (select 2 as c, cast(null as string) as n from t) q;
select count(distinct n), count(distinct k) from (select cast(null as string) as n, k from t) q;
-- NULL where a sum of an outer join's column is asked for.
select r3.d from e r1 full join t r3 on r1.k = r3.k where r3.d + r3.d = r3.d or r3.d * 2 > 6;
-- What IN and many equations become.
select s from t where 2 in (select k from t u where k in (2)) order by s limit 5;
select s from t where k in (select k from t u where 2 = k) and 2 = k;
select s from t where x in (2, 1.0, 0.0, 1e20, cast('0.000000000000000001' as decimal(38,18))) order by s limit 5;
select s from t where x = 2 or x = 1 or x = 0.0 or x = 1e20 order by s limit 5;
select s from t where 2 = x or 1 = x or -0.0 = x or 1e20 = x order by s limit 5;
-- NULLIF has the type of its first argument wherever it stands.
select k, n + k as sum from (select nullif(k, cast('2' as decimal(38,18))) as n, k from t) q where n = n + k - k order by k limit 5;
