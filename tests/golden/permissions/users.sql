-- Users, roles and grants; then one user, then another.
create table t (a bigint);
insert into t values (1);
create table p (a bigint) partitioned by (ds string);
create view v as select a from t;
add user bob with secret 'Hunter2' comment 'c';
add user ALIYUN$eve@aliyun.com with secret 'evekey';
add user bob;
create role worker;
grant worker to ALIYUN$eve@aliyun.com;
grant select, describe on table t to role worker;
grant createtable, list on project default to user bob;
grant select on table v to user bob;
grant fly on table t to user bob;
grant select on table nowhere to user bob;
show grants for bob;
show grants for ALIYUN$eve@aliyun.com;
show acl for t;
describe role worker;
list users;
list roles;
show principals worker;
whoami;
add user bob with secret hunter3;
add user 'x' with secret 'unclosed;
-- restart
-- flags: -u bob -p Hunter2
show grants;
select * from t;
select * from v;
select * from nowhere;
show tables;
create table mine (b bigint);
insert into mine values (1);
select * from mine m join t on m.b=t.a;
insert into mine select a from t;
show history for table t;
show history for table mine;
show history for tables;
restore table t to lsn '1';
restore table mine to lsn '1' as t2;
drop table if exists not_there;
drop table t;
setproject a=b;
add user z;
purge all;
desc t;
grant select on table mine to role worker;
select 1;
select count(*) from t version as of 1;
with q as (select * from t) select * from q;
create table c as select * from t;
grant all on table mine to role worker;
select * from t where a = get_latest_version('t');
select max_pt('p');
explain select * from t;
create view w as select * from t;
insert into v values (1);
use other;
alter user bob set secret 'mine now';
-- restart
-- flags: -u ALIYUN$eve@aliyun.com -p evekey
select * from t;
select * from mine;
insert into mine values (5);
drop table t;
show tables;
-- restart
alter user bob set secret 'other';
revoke list on project default from user bob;
drop table t;
drop role worker;
revoke worker from ALIYUN$eve@aliyun.com;
drop role worker;
restore table t;
show acl for t;
grant admin to bob;
show history for table t extended;
-- restart
-- flags: -u bob -p Hunter2
select 1;
-- restart
-- flags: -u bob -p other
show tables;
select * from t;
add user z;
remove user z;
remove user bob;
select * from t;
-- restart
-- flags: -u bob -p other
select 1;
