-- Times of different kinds are compared as instants in every year; summer time does not end with the tables.
set odps.sql.validate.orderby.limit=false;
set odps.sql.timezone=America/New_York;
select from_unixtime(4971167667), unix_timestamp(datetime'2127-07-13 11:54:27');
create table tt (d datetime, t timestamp, a date, n timestamp_ntz);
insert into tt values (datetime'9999-12-31 00:00:00', timestamp'2020-01-01 00:00:00.123456789', date'2127-07-13', timestamp_ntz'2020-01-01 00:00:00');
select d > t, t < d, d <> t, a > t, a < d, a = cast('2127-07-13 00:00:00' as datetime), n = t, n < d, a > n from tt;
select max(d), greatest(d, t), coalesce(d, t) from tt group by d, t;
select case when true then d else t end from tt;
select d from tt union all select t from tt;
select a + interval '1' day, d - interval '1' month, cast('2127-07-13 11:54:27' as datetime) + interval '1' day from tt;
select t in (d), d in (t), case d when t then 1 else 2 end, nullif(t, d) from tt;
select x.d from tt x join tt y on x.a = y.d or x.a < y.d;
