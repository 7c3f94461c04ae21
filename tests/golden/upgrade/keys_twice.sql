-- Delta tables of an older program, which did not know what a primary key is for.
-- warehouse: keys-twice
set odps.sql.validate.orderby.limit=false;
select * from d order by id, v;
insert into d values (3, 'x');
insert into d select 1, 'y';
merge into d using (select 7 as k) s on d.id = s.k when not matched then insert values (s.k, 'z');
delete from d where id = 2;
update d set v = 'u' where v = 'old';
insert overwrite table d select * from d;
select * from d;
insert into d values (1, 'again'), (3, 'x');
select * from d order by id;
show history for table d;
restore table d to lsn '3';
select * from d order by id, v;
insert into d values (9, 'x');
restore table d to lsn '6';
insert into d values (9, 'x');
select * from d order by id;
insert into p values (5, 'n', 'z');
insert overwrite table p partition (pt='x') select id, v from p where pt='x';
insert into p values (5, 'n', 'z');
select * from p order by pt, id;
insert into sound values (2, 'c'), (3, 'd');
select * from sound order by id;
select * from sound version as of 2 order by id;
