-- D. A partition without the LSN asked for is restored to the greatest LSN before it; one that was
-- made later, to its first. The document's pt1 has LSNs 100, 102, 104, 106 and pt2 101, 103, 104, 105; here
-- they are 2, 4, 6, 8 and 3, 5, 7 and late pt3 9.
create table t (a string) partitioned by (pt string);
insert overwrite table t partition (pt='1') values ('1-2');
insert overwrite table t partition (pt='2') values ('2-3');
insert overwrite table t partition (pt='1') values ('1-4');
insert overwrite table t partition (pt='2') values ('2-5');
insert overwrite table t partition (pt='1') values ('1-6');
insert overwrite table t partition (pt='2') values ('2-7');
insert overwrite table t partition (pt='1') values ('1-8');
insert overwrite table t partition (pt='3') values ('3-9');
restore table t PARTITION(pt='1') PARTITION(pt='2') to LSN '4';
select * from t order by pt limit 9;
restore table t partition(pt='1') partition(pt='2') to LSN '0000000000000008';
select * from t order by pt limit 9;
restore table t partition(pt='2') partition(pt='3') to lsn 4;
select * from t order by pt limit 9;
-- An LSN the table never had.
restore table t partition(pt='1') to LSN '99';
-- A DROP is no content: the partition after its return is chosen by the rows with content.
alter table t drop partition (pt='2');
restore table t partition(pt='2') to LSN '3';
restore table t partition('id'='00000000000000000000000000000003');
restore table t partition(pt='2') to LSN '15';
select * from t where pt = '2';
show history for table t;
