-- Aggregates as their manual pages have them.
create table t1 (g bigint, a bigint, b string, d decimal(10,2), w bigint);
insert into t1 values (1,10,'x',1.5BD,1),(1,20,'7',2.5BD,3),(1,null,'8.5',null,2),(2,40,null,4BD,null),(2,50,'9',5BD,0);
set odps.sql.validate.orderby.limit=false;
select var_samp(b) a, stddev(b) b, covar_pop(b, a) c, corr(a, b) d, variance(concat('x', b)) e, sum(d) f from t1;
select percentile_approx(a, 0.5) a, percentile_approx(a, array(0, 0.25, 1)) b, percentile_approx(a, w, 0.5) c, percentile_approx(a, w, 0.5, 100) d, percentile_approx(a, 0.5, 2) e from t1;
select g, numeric_histogram(2, a) a, numeric_histogram(5, a, w) b from t1 group by g order by g;
select numeric_histogram(null, a) a, numeric_histogram(3, a) b, numeric_histogram(4, cast(null as double)) c from t1;
select map_union_sum(m) from values (map('k', cast(100 as tinyint))), (map('k', cast(100 as tinyint), 'l', cast(1 as tinyint))) t(m);
select percentile_cont(x, 0.1, false) a, percentile_cont(x, 0.1) b from values (null), (4), (8) t(x);
select percentile_approx(a, 1.5) from t1;
select percentile_approx(a, null) from t1;
select percentile_approx(a, 0.5, 0) from t1;
select numeric_histogram(1, a) from t1;
select count_if(a > 1) filter (where g = 1) from t1;
-- Dates without zeros, numbers as instants.
select year('70-1-1') a, add_months('17-2-14', 3) b, last_day('2024-2-1 1:2:3') c, day('2024-2-30') d, month('0-1-1') e, to_date('20210924') f, to_date('2021-9-24') g;
set odps.sql.timezone=Asia/Shanghai;
select from_utc_timestamp(0, 'UTC') a, to_utc_timestamp(0, 'Asia/Shanghai') b, from_utc_timestamp(1501557840000, 'PST') c;
select cast('17-2-14' as datetime);
select trunc_time('2025-06-03 15:30:30', 'hour');
-- Texts and numbers.
select substring('abc' from 2) a, substring(cast('abc' as binary), 2) b, substr(12345, 2) c, bin(cast(5 as int)) d, mask_hash(1.5) e, mask_hash(cast('a' as binary)) f;
select substring('abc', 1, 0);
select substring(12345, 2);
select bin(2.5BD);
select split_part(b, concat(b, ','), 1) from t1;
