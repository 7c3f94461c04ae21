-- Conditions with subqueries, in DELETE and UPDATE.
create table d(k bigint, v string) tblproperties('transactional'='true');
insert into d values (1,'a'),(2,'b'),(3,null),(null,'n');
create table s(a bigint);
insert into s values (1),(null);
delete from d where k in (select a from s);
select * from d;
delete from d where exists (select 1 from s where s.a = d.k + 0) or v = 'b';
select * from d;
update d set v = 'w' where k in (select a+2 from s);
select * from d;
update d set v = (select max(a) from s) where k not in (select 5);
select * from d;
