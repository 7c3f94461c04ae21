-- FROM first, its clauses before SELECT or behind it.
create table t (a bigint, b string);
insert into t values (1, 'x'), (2, 'x'), (3, 'y');
from t select a order by a limit 5;
from t where a > 1 select a, b order by a limit 5;
from t where a > 0 group by b having count(*) > 1 select b, sum(a) as s order by b limit 5;
from t select b, count(*) as n where a > 1 group by b order by b limit 5;
select * from (from t where a in (select max(a) from t) select a) q;
select a from (from t where a = 1 select a union all from t where a = 3 select a) q order by a limit 5;
with c as (from t where a > 1 select a) from c where a < 3 select a;
from t where a = 1 select wm_concat(',', b) within group (order by b) as w;
from t where a = 1 select * except (b);
from t where a > 1 select * order by a desc limit 1;
from t where a > 1 select a * 2 as d order by d limit 5;
from values (1, 'x'), (2, 'x'), (3, 'y') v(a, b) window w as (partition by b) select a, sum(a) over w as s order by a limit 5;
from t qualify row_number() over (partition by b order by a desc) = 1 select a, b order by a limit 5;
from t;
from t where a = 1;
