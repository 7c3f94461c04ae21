-- A join on <=> and what is compared by = beside it.
set odps.sql.validate.orderby.limit=false;
create table a (k bigint, p string); create table b (k bigint, u string);
insert into b values (null, null); insert into a values (null, null), (1, 'x'); insert into b values (1, 'x');
select a.k, b.u from a join b on a.k <=> b.k where a.p = b.u;
select a.k, b.u from a join b on a.k <=> b.k and a.p = b.u;
select a.k, b.u from a left join b on a.k <=> b.k where a.p = b.u;
select a.k, b.u from a right join b on a.k <=> b.k where a.p = b.u;
select a.k, b.u from a full join b on a.k <=> b.k where a.p = b.u;
select a.k, c.u from a left join b on a.k = b.k left join b c on a.k <=> c.k where a.p = c.u;
