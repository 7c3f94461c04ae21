-- A condition without columns filters the rows of a grouping with totals; it does not go below it.
create table t (k bigint, p string);
select count(*) as n from (select count(p) as c, true as b from t group by cube(p)) r where b > b;
select count(*) as n from (select count(p) as c, true as b from t group by p grouping sets ((p), ())) r where b = false;
select count(*) as n from (select count(p) as c, true as b from t group by rollup(p)) r where b;
insert into t values (1, 'a'), (2, 'b');
select * from (select p, count(*) as c, 1 as one from t group by rollup(p)) r where one > 1 order by p limit 9;
select * from (select p, count(*) as c, 1 as one from t group by rollup(p)) r where one = 1 and c > 1 order by p limit 9;
-- UNION over a side that is DISTINCT, with joins beside it.
select * from ((select distinct false as c0, p as c1 from t) union (select false as c0, a.p as c1 from t a full join t b on a.k <=> b.k and a.k between 1 and 2)) u order by c1 limit 9;
-- HAVING over the row of a subquery: by itself it is what it says; looking outside it is refused.
select k from t where exists (select count(*) from t where k > 5 having count(*) = 0) order by k limit 9;
select k from t where exists (select count(*) from t where k > 5 having count(*) = 1) order by k limit 9;
select k from t where exists (select count(*) from t u where u.p = t.p having count(*) = 0) order by k limit 9;
select k from t where k in (select count(*) from t u where u.p = t.p having count(*) >= 0) order by k limit 9;
select k, (select max(k) from t u where u.p = t.p having count(*) > 1) as m from t order by k limit 9;
-- CASE of two booleans under a grouping.
select * from ((select case when k >= 2 then false else true end as c from t) union (select true)) u order by c limit 9;
-- DISTINCT over the one row changes nothing.
create table n (k bigint, p string);
select t.k, r.c from t left join (select distinct count(k) as c from n) r on t.k is null order by t.k limit 9;
select r.c from (select distinct min(k) as c, cast(null as boolean) as b from n) r where true <= r.b;
-- One value is compared as = compares it, whatever kind of text it is.
insert into n values (null, 'a');
select k from n where 'a' not in (select min(t.p) from t where t.k = n.k);
