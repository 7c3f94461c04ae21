-- Row values, part by part and with the three values of logic.
create table t (id bigint, a bigint, b string) tblproperties ('transactional' = 'true');
insert into t values (1, 1, 'x'), (2, 1, 'y'), (3, null, 'x'), (4, 2, null), (5, null, null);
create table s (p bigint, q string);
insert into s values (1, 'x'), (2, 'z');
create table n (p bigint, q string);
insert into n values (1, null), (7, 'y');
create table e (p bigint, q string);
select id from t where (a, b) in (select p, q from s) order by id limit 10;
select id from t where (a, b) not in (select p, q from s) order by id limit 10;
select id from t where (a, b) in (select p, q from n) order by id limit 10;
select id from t where (a, b) not in (select p, q from n) order by id limit 10;
select id from t where (a, b) not in (select p, q from e) order by id limit 10;
select id from t where not ((a, b) in (select p, q from n)) order by id limit 10;
select id from t where (a, b) in (select p, q from n) is null order by id limit 10;
select id from t where ((a, b) in (select p, q from s) or id = 5) and id > 0 order by id limit 10;
select id from t where case when (a, b) in (select p, q from n) then false else id < 3 end order by id limit 10;
-- Correlated, of other types, of a union, with expressions, with all columns.
select id from t where (a, b) in (select p, q from s where s.p = t.id) order by id limit 10;
select id from t where (b, a) in (select q, cast(p as string) from s) order by id limit 10;
select id from t where (a + 1, upper(b)) in (select p + 1, upper(q) from s union all select 2, 'Y') order by id limit 10;
select id from t where (a, b) in (select * from s) order by id limit 10;
select id from t where (a, b) in (select max(p), q from s group by q) order by id limit 10;
select x.id from t x join t y on x.id = y.id where (x.a, y.b) in (select p, q from s) order by id limit 10;
select count(*) from t where (a, b, id) in (select p, q, p from s);
-- Lists of rows.
select id, (a, b) in ((1, 'x'), (2, 'z')) as i, (a, b) not in ((1, 'x'), (2, 'z')) as n from t order by id limit 10;
select id, (a, b) = (1, 'x') as e, (a, b) <> (1, 'x') as d, (a, b) in ((1, null)) as n from t order by id limit 10;
-- In conditions of changes.
update t set b = 'new' where (a, b) in (select p, q from s);
select * from t order by id limit 10;
delete from t where (a, b) not in (select p, q from s);
select * from t order by id limit 10;
delete from t where (a, b) in ((2, 'z'), (1, 'new'));
select * from t order by id limit 10;
-- Rows of different widths.
select id from t where (a, b) in (select p from s);
select id from t where (a, b) in (select p, q, q from s);
select id from t where (a, b) in (select s.*, 1 from s);
select id from t where (a, b) = (1, 2, 3);
