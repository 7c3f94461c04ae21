-- Columns chosen by regular expressions in backquotes.
create table t (a bigint, b string, x_one bigint, x_two string) partitioned by (ds string, pt string);
insert into t partition (ds = '1', pt = '2') values (1, 'b', 10, 'two'), (2, 'c', 20, 'zwei');
select `(ds|pt)?+.+` from t order by a limit 10;
select `(a)?+.+` from t order by b limit 10;
select `x_.*` from t order by x_one limit 10;
select `X_.*`, a + 1 as n, `(a|b)` from t where a > 1 order by n limit 10;
select distinct `[ab]` from t order by a limit 10;
select t.`x_.*`, u.k from t join (select 1 as a, 'k' as k) u on t.a = u.a;
select `.*` from (select a, b as c from t) q order by a limit 10;
with c as (select `(ds|pt|b)?+.+` from t) select a, x_two from c order by a limit 10;
insert into t partition (ds, pt) select `(ds|pt)?+.+`, 'new', pt from t where a = 2;
select count(*) from t where ds = 'new';
select row_number() over (order by a desc) as rn, `a|b` from t where ds = '1' order by rn limit 10;
select `x_.*` from t where ds = '1' union all select 5, 'five' order by x_one limit 10;
-- A name that looks like a pattern is a name.
select `a.b` from (select 1 as `a.b`, 2 as axb) q;
select `count(*)` from (select count(*) as `count(*)` from t) q;
-- What fits nothing, and what is no regular expression.
select `nope.*` from t;
select `(a` from t;
select `a++` from t;
