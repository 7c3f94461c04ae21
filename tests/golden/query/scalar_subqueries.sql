-- A subquery that stands for a value and looks at the query around it.
create table t (id bigint, c bigint, d string);
create table s (id bigint, v bigint, w string);
insert into t values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
insert into s values (1, 10, 'x'), (2, 20, 'y'), (1, 0, 'z'), (7, 1, 'p'), (7, 2, 'q');
select id, (select v from s where s.id = t.id and w < 'z') as v from t order by id limit 9;
select id, coalesce((select v from s where s.id = t.id and w < 'z'), -1) + 1 as v, (select upper(w) from s where s.v = t.c * 10) as u from t order by id limit 9;
select id, (select v from s where s.id = t.id order by w limit 1) as f, (select w from s where s.id = t.id order by v limit 1) as l from t order by id limit 9;
select id from t where (select v from s where s.id = t.id and v > 0) is null order by id limit 9;
select id from t where c * 10 = (select v from s where s.id = t.id and w < 'z') order by id limit 9;
select id, (select count(*) from s where s.id = t.id) as n, (select max(v) from s where s.id = t.id) as m from t order by id limit 9;
select id, (select v from (select * from s where w < 'z') q where q.id = t.id) as v, (select distinct id from s where s.id = t.id) as i from t order by id limit 9;
select id, case when id > 1 then (select v from s where s.id = t.id) end as v from t where id > 1 order by id limit 9;
-- Rows that nobody asks for may be as many as they like, others may not.
select id, (select v from s where s.id = t.id) as v from t where id <> 1 order by id limit 9;
select id, (select v from s where s.id = t.id) as v from t order by id limit 9;
select id, (select v from s where s.id = 1) as v from t order by id limit 9;
select id, (select v, w from s where s.id = t.id) as v from t order by id limit 9;
-- What is not there yet says so.
select id, (select v from s where s.id = t.id and s.v > t.c) as v from t order by id limit 9;
select id from t order by (select v from s where s.id = t.id and w < 'z') limit 9;
