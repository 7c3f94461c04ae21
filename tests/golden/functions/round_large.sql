-- ROUND and TRUNC of a DECIMAL with all of its 38 digits.
select round(cast('99999999999999999999999999999999999999' as decimal(38,0)), 0) as a;
select round(cast('99999999999999999999999999999999999999' as decimal(38,0)), -1) as a;
select trunc(cast('99999999999999999999999999999999999999' as decimal(38,0)), -1) as a;
select round(cast('89999999999999999999999999999999999999' as decimal(38,0)), -38) as a;
select round(cast('-89999999999999999999999999999999999999' as decimal(38,0)), -37) as a, trunc(cast('-89999999999999999999999999999999999999' as decimal(38,0)), -38) as b;
select round(cast('44999999999999999999999999999999999999' as decimal(38,0)), -38) as a, round(cast('45' as decimal(38,0)), -40) as b;
