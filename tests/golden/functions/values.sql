-- Values that the manual's pages fix, by family.
set odps.sql.validate.orderby.limit=false;
-- SPLIT: empty pieces at the end.
select split('a,b,c,,', ','), size(split('a,b,c,,', ',')), size(split('a,b,c,,', ',', false)), split(',,a', ','), split('', ','), split(',,', ','), split('a1b22', '[0-9]'), split('abc', ''), split('a,b', ',', null), split(null, ',');
-- Date letters outside of the Hive-compatible edition and in it.
select date_format(datetime'2022-04-24 15:49:01', 'hh'), date_format(timestamp'2022-04-24 15:49:01.902', 'yyyy-MM-dd hh:mi:ss.SSS'), date_format(datetime'2022-04-24 15:49:01', 'mm'), date_format(datetime'2022-04-24 15:49:01', 'HH:mi'), date_format(datetime'2022-04-24 15:49:01', 'MMM d yyyy');
set odps.sql.hive.compatible=true;
select date_format(datetime'2022-04-24 15:49:01', 'hh'), date_format(datetime'2022-04-24 15:49:01', 'HH:mm'), date_format(datetime'2022-04-24 15:49:01', 'hh:mi');
select concat_ws(':', 'avg', null, '34'), concat_ws(':', array('a', null, 'b')), concat_ws(':', cast(null as array<string>), 'x'), substr('abc', 0), substring('abc', 0, 2);
set odps.sql.hive.compatible=false;
select concat_ws(':', 'avg', null, '34'), substr('abc', 0) is null, substr('abc', 0), substring('abc', 0, 2);
-- Exact percentiles.
create table n (x bigint);
insert into n values (800), (950), (1100), (1250), (1250), (1300), (1300), (1500), (1600), (null);
select percentile(x, 0.3), percentile(x, 0), percentile(x, 1), percentile(x, array(0.25, 0.5, 0.75)), percentile_approx(x, 0.3), median(x), percentile(x + 0.5, 0.3) from n;
select percentile(x, 0.5) over (), percentile(x, 0.5) filter (where x > 1250) over () from n limit 1;
select percentile_cont(x, 0.5, false), percentile_cont(x, 0.5, true), percentile_cont(x, 0.5) from values (0D), (3D), (null), (1D), (2D) t(x);
select percentile(x, 0.5) from n where x > 9999;
select percentile(x, 1.5) from n;
-- Hive's hash.
select hash(0, 2, 4), hash(0), hash(5), hash(-1), hash(4294967296), hash('a'), hash('hello'), hash('中'), hash(null), hash(true), hash(1.0D), hash(cast(1 as int)), hash(0.0D) = hash(-0.0 * 1), hash(1.50BD), hash(-1.5BD), hash(date'1970-01-02'), hash(array(1, 2)), hash(map('a', 1));
-- Numbers keep their type and all their digits.
select shiftrightunsigned(cast(-1 as int), 1), shiftrightunsigned(-1, 1), shiftright(cast(-8 as int), 1), shiftleft(cast(1 as int), 31), shiftleft(1, 31), shiftleft(cast(1 as int), 33);
select format_number(20.45BD, 1), format_number(-20.45BD, 1), format_number(999.995BD, 2), format_number(12345678901234567890.12345BD, 3), format_number(9223372036854775807, 1), format_number(-0.004BD, 2), format_number(1234567.891, 2);
select conv('-5', 10, 2), conv('5', 10, 2), conv('ff', 16, 10), conv('-ff', 16, 10);
-- Arrays and NULL.
select array_position(array(3, 1), 9), array_position(array(3, 1, null), null), array_position(array(3, 1), 1), array_position(array(1.5, 0.0), -0.0 * 1), array_position(cast(null as array<bigint>), 1), array_position(array('a', 'b'), 'b'), array_position(array(), 1);
select arrays_overlap(array(1, 2, 3), array(5, 4, null)), arrays_overlap(array(1, 2), array(2, null)), arrays_overlap(array(1), array(2)), arrays_overlap(array(1), array()), arrays_overlap(array(null), array(null)), arrays_overlap(array(0.0), array(-0.0 * 1)), arrays_overlap(array(1), array(1.0));
select arrays_zip(array(1, 2), array(2, 3)), arrays_zip(array(1, 2), array('a')), arrays_zip(array(1)), arrays_zip(array(1), cast(null as array<bigint>)), zip_with(array(1, 2), array(10, 20), (a, b) -> a + b);
-- JSON.
select get_json_object('{"a":"1","a":"2"}', '$.a'), get_json_object('{"a":{"b":1,"b":2}}', '$.a.b'), get_json_object('{"a":12345678901234567890123}', '$.a'), get_json_object('{"a":1.50}', '$.a');
select * from (select 1) t lateral view json_tuple('{"y":{"z":2},"y.w":3,"k":[1,2],"a":1,"a":2}', 'y.z', 'y.w', 'k', 'a', 'nope') j as a, b, c, d, e;
select from_json('[1, 2, 3, "a"]', 'array<bigint>'), from_json('[1, null, "x", 2.5]', 'array<bigint>'), from_json('{"a":true,"b":false}', 'a boolean, b boolean'), from_json('{"a":1,"a":2}', 'a bigint');
-- Texts that are true, and texts that begin with a number.
select cast('false' as boolean), cast('' as boolean), cast('0' as boolean), cast('x' as boolean), cast(null as boolean);
set odps.function.strictmode=false;
select cast('123abc' as bigint), cast('-1.5e3x' as double), cast('abc' as bigint), cast(' 12' as int), cast('12e' as double);
set odps.function.strictmode=true;
select cast('123abc' as bigint);
select cast("2022-12-20 00:01:01" as date), cast('2022-12-20' as date);
set odps.sql.executionengine.enable.string.to.date.full.format=true;
select cast("2022-12-20 00:01:01" as date);
set odps.sql.executionengine.enable.string.to.date.full.format=false;
select cast('2022-13-20' as date);
-- What is replaced by NULL.
select regexp_replace('abcd', 'z', null, 0), regexp_replace('abcd', 'b', null, 0), regexp_replace('abcd', 'b', null, 2), regexp_replace('abab', 'b', 'x', 2);
-- Positions.
select x from n order by 1 limit 2;
set hive.orderby.position.alias=true;
select x from n where x is not null order by 1 desc limit 2;
set hive.orderby.position.alias=false;
set hive.groupby.position.alias=true;
select x > 1250, count(*) from n where x is not null group by 1 order by count(*) limit 5;
set odps.sql.decimal.tostring.trimzero=false;
-- Views are among the tables.
create view v as select x from n;
show tables;
show tables like 'v*';
