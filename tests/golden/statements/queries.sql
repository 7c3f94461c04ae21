-- What the engine can do today.
select 1;
select 'a', "b", 1.5, true, null;
select 1 as a, 'x' as B;
with x as (select 1 as a union all select 2) select * from x order by a limit 9;
select a, row_number() over (order by a) as n from (values (3), (1), (2)) t(a) order by a limit 9;
select count(*), sum(value) from odpsh_generate_series(1, 100);
create table t (a bigint, b string);
insert into t select value, concat('row ', cast(value as string)) from odpsh_generate_series(1, 5);
select * from t where a in (2, 3) or b like '%5' order by a limit 9;
select b, count(*) as n from t group by b having count(*) = 1 order by b limit 2;
select t.a, u.b from t join t u on t.a = u.a + 1 order by t.a limit 2;
insert into t select a + 10, b from t;
insert overwrite table t select * from t where a > 12;
select `a`, T.B from T order by A limit 9;
select max(a) from t /* a comment; with a semicolon */ where a < 15; -- and another;
select * from t where a = 'x';
select a / 0 from t;
select 1
  + 2 as three,
  '-- no comment' as text
;
