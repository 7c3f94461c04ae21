-- Kinds of types that do not go together, and lists of mixed ones.
select a in ('1.5'), 2 in ('2.0'), a in (1, '1'), 'x' in ('x', 'y') from values(1) t(a);
select case when true then 1 else date'2020-01-01' end;
select date'2020-01-01' union all select 1;
select 1 union all select true;
select case when true then 1 else 2.5 end, case when false then 'a' else 1 end;
select array(null), to_json(array(null));
