-- What is no date, or out of the domain: NULL where the function's page says so, in strict mode too.
select day('20140901'), dayofmonth('x'), dayofweek('x'), dayofyear('x'), month('x'), quarter('x'), year('not a date'), weekofyear('20141229'), last_day('20170304'), add_months('20170214', 3);
select hour('x'), minute('x'), second('x'), hour('12:00:00'), minute('12:34:56'), second('12:34:56'), hour('25:59:60'), hour('1:2:3'), hour('12:00:00:00'), hour('2020-01-02 03:04:05');
select ln(0), ln(-1), log(1, 10), log(-2, 8), log(2, 0), log2(0), sqrt(-1), acos(2), asin(-2), sha2('ABC', 7);
select from_utc_timestamp('1970-01-30 16:00:00', 'PST'), to_utc_timestamp('1970-01-30 16:00:00', 'CTT');
select to_date(null, 'yyyymmdd'), to_date('20200101', null);
-- An error where its page says so.
select lastday('20170304');
select weekday('20170304');
select log10(0);
select to_date('2010-24-01', 'yyyy-mm-dd');
