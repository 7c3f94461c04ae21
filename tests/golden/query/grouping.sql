-- ROLLUP, CUBE and GROUPING SETS in any combination.
create table t (a string, b string, c string, n bigint);
insert into t values ('x', 'p', 'm', 1), ('x', 'q', 'm', 2), ('y', 'p', 'k', 4);
select a, b, sum(n) as s from t group by rollup((a, b)) order by a, b limit 20;
select a, b, c, sum(n) as s from t group by rollup(a, (b, c)) order by a, b, c limit 20;
select a, b, c, sum(n) as s from t group by cube((a, b), c) order by a, b, c limit 20;
select a, b, sum(n) as s from t group by grouping sets ((b), rollup(a)) order by a, b limit 20;
select a, b, c, sum(n) as s from t group by grouping sets ((c), rollup(a, (b, c)), cube(b)) order by a, b, c, s limit 20;
select a, b, sum(n) as s from t group by a, cube(b) order by a, b limit 20;
select a, b, c, sum(n) as s, grouping_id(a, b, c) as g from t group by a, cube(b), grouping sets ((c), ()) order by g, a, b, c limit 20;
select a, b, sum(n) as s from t group by a, b with rollup order by a, b limit 20;
select a, b, sum(n) as s from t group by a, b grouping sets ((a, b), (a), ()) order by a, b limit 20;
-- A set that is there twice gives its rows twice.
select a, sum(n) as s from t group by grouping sets ((a), (a)) order by a limit 20;
select a, sum(n) as s from t group by rollup(a), rollup(a) order by a, s limit 20;
-- GROUPING__ID is GROUPING_ID of all keys, in the order of GROUP BY.
select a, b, grouping__id, sum(n) as s from t group by a, b grouping sets ((a, b), (b), (a), ()) order by grouping__id, a, b limit 20;
select a, b, grouping__id as g, grouping_id(a, b) as h, grouping(a) as i, sum(n) as s from t group by a, b with cube having grouping__id > 0 order by g, a, b limit 20;
select if(grouping(a) = 1, 'ALL', a) as a, max(n) as m from t group by rollup(a) order by a limit 20;
select upper(a) as u, n % 2 as o, count(*) as c from t group by rollup(upper(a), n % 2) order by u, o limit 20;
