-- LATERAL VIEW wherever a FROM may have it.
create table d (tag string, n bigint);
create table u (id bigint, s string);
insert into u values (1, 'a,b'), (2, 'c'), (3, null);
-- Before a join, behind a join, between two.
select u.id, i.item, p.x from u lateral view explode(split(s, ',')) i as item left join (select 'a' as item, 1.5 as x) p on i.item = p.item order by id, item limit 10;
select u.id, v.k, i.item from u join (select 1 as id, 'z' as k) v on u.id = v.id lateral view explode(split(concat(s, v.k), ',')) i as item order by item limit 10;
select u.id, a.x, b.y, c.z from u lateral view explode(split(s, ',')) a as x join (select 'b' as k, array(7, 8) as ys) t on t.k = a.x lateral view explode(t.ys) b as y lateral view outer explode(array()) c as z order by y limit 10;
-- Commas are joins.
select t.k, x from u, (select 'q' as k) t lateral view explode(split(s, ',')) a as x order by x limit 10;
select x, t.k from u lateral view explode(split(s, ',')) a as x, (select 'q' as k) t order by x limit 10;
select x, d.n from u lateral view explode(split(s, ',')) a as x, d d order by x limit 10;
select p, x from u lateral view posexplode(split(s, ',')) a as p, x where id = 1 order by p limit 10;
-- In parentheses, in a subquery, in a CTE, in a branch of a union, in a correlated subquery.
select x from (u lateral view explode(split(s, ',')) a as x) order by x limit 10;
with c as (select x from u lateral view explode(split(s, ',')) a as x) select count(*) from c;
select x from u lateral view explode(split(s, ',')) a as x union all select y from (select array('n', 'm') as l) t lateral view explode(l) b as y order by x limit 10;
select id from u where 'b' in (select x from (select 'a,b' as l) t lateral view explode(split(l, ',')) a as x where t.l = u.s) order by id limit 10;
-- Without a FROM.
select x from lateral view explode(array(1, 2)) a as x order by x limit 10;
select x lateral view explode(array(1, 2)) a as x order by x limit 10;
-- FROM first, and several inserts.
from u lateral view explode(split(s, ',')) a as x select x, id order by x limit 10;
from u lateral view explode(split(s, ',')) a as x insert into d select x, id insert into d select concat(x, '!'), id where id = 2;
from u insert into d select x, 9 lateral view explode(split(s, ',')) a as x where id = 1;
select * from d order by n, tag limit 20;
-- With OUTER the names of the columns may be left out; without, AS is needed.
select k, value from (select map('a', 1) as m) t lateral view outer explode(m) e as k, value;
select key, value from (select map('a', 1) as m) t lateral view outer explode(m) e;
select k, v from (select 1 as id) s lateral view stack(2, 'a', 1, 'b', 2) t k, v;
select k from (select array(1) as l) s lateral view explode(l) t;
select k from (select array(1) as l) s lateral view explode l t as k;
select k from (select array(1) as l) s lateral view explode(l) as k;
select k from (select array(1) as l) s lateral view upper(l) t as k;
