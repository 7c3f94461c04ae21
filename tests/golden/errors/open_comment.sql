-- A comment that is never closed swallows what follows; that is told, and what stands before it ran.
create table t (a bigint); insert into t values
  (1);
select * from t; /* all of them */
select 'a /* in a string */' x;
select 2 /* from here on ;
insert into t values (3);
select * from t;
