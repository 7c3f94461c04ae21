-- MERGE with all columns, and for rows that only one side has.
create table t (id bigint, v string, n bigint) tblproperties ('transactional' = 'true');
create table s (n bigint, id bigint, v string, extra string);
insert into t values (1, 'old', 10), (2, 'old', 20), (3, 'old', 30), (4, 'old', 40);
insert into s values (11, 1, 'new', 'e'), (22, 2, 'new', 'e'), (99, 9, 'new', 'e');
merge into t using s on t.id = s.id when matched and t.id = 1 then update set * when not matched then insert *;
select * from t order by id limit 10;
merge into t using s on t.id = s.id when matched and t.id = 2 then update set n = s.n when not matched by source and t.id = 3 then delete when not matched by source then update set v = 'alone', n = t.n + 1;
select * from t order by id limit 10;
merge into t as a using (select 7 as id, 'seven' as v, 70 as n) b on a.id = b.id when not matched by target then insert (id, v) values (b.id, b.v) when not matched by source and a.id > 8 then delete;
select * from t order by id limit 10;
merge into t using (select 7 as id, 'x' as v, 1 as n) s on t.id = s.id when matched then delete when not matched by source then update set n = -1;
select * from t order by id limit 10;
create table p (id bigint, v string) partitioned by (ds string) tblproperties ('transactional' = 'true');
insert into p partition (ds = 'a') values (1, 'old'), (2, 'old');
insert into p partition (ds = 'b') values (3, 'old');
merge into p using (select 1 as id, 'new' as v, 'a' as ds union all select 5, 'new', 'c') s on p.id = s.id when matched then update set * when not matched then insert * when not matched by source and p.ds = 'b' then delete;
select * from p order by id limit 10;
show history for table t;
-- What makes no sense.
merge into t using s on t.id = s.id when not matched by source then insert *;
merge into t using s on t.id = s.id when not matched by source then update set v = s.v;
merge into t using s on t.id = s.id when not matched by source then delete when not matched by source then delete;
merge into t using (select 1 as id) s on t.id = s.id when not matched then insert *;
merge into t using s on t.id = s.id when matched then update * ;
select * from t order by id limit 10;
