-- odpsh.query.optimizer=false plans a query as it is written; the rows are the same.
create table t (k bigint, v string) partitioned by (p string);
insert into t partition (p='a') values (1, 'x'), (2, null);
explain select k from t where k > 1 + 1;
select t.k, (select count(*) from t u where u.k = t.k) as equal from t where p = 'a' order by k limit 5;
set odpsh.query.optimizer=false;
explain select k from t where k > 1 + 1;
select t.k, (select count(*) from t u where u.k = t.k) as equal from t where p = 'a' order by k limit 5;
set odpsh.query.optimizer=off;
