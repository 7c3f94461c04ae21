-- Forms that read like other things.
create table t1 (a bigint, b string, j string);
insert into t1 values (1,'x','{"c":[{"d":1},{"d":2}],"e":[{"d":3}]}'),(2,null,'{"c":[]}');
set odps.sql.validate.orderby.limit=false;
select count(a), count(all b), sum(all a), count(distinct b) from t1;
select all from (select 1 as all) x;
select (all) from (select 1 as all) x where all = 1 and (all in (1));
select b rlike null a, b not rlike null b, b regexp null c from t1 where a = 1;
from t1 window w as (partition by 1 order by a) select a, sum(a) over w order by a;
from t1 window w as (order by a) select sum(a) over w, a window_of_a order by window_of_a;
select a window from t1 order by a;
select t1.a, q.x, q.y from t1 lateral view json_tuple(j, 'c[*].d', 'e[0].d') q as x, y order by a;
select get_json_object(j, '$.c[*].d') a, get_json_object(j, '$.e[*]') b, get_json_object(j, '$.e.d') c from t1;
create table t2 (a bigint, b bigint);
insert overwrite table t2 (a) values (1);
insert into t2 (a) values (1);
select a from t1 qualify a > 1;
select a, row_number() over (order by a) r from t1 qualify r > 1;
