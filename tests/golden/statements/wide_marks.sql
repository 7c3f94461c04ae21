-- The parentheses and the comma of Chinese keyboards are plain ones outside of quotes.
create table t（a bigint comment '数（1，2）'，b string）;
insert into t values （1，'（x，y）'），（2，'z'）;
select a，concat（b，'，'） as c from t where a in （1，2） order by a limit 10;
select concat（'it\'s（'，"，"，b） as `（，）` from t order by a limit 1;
desc t;
select a from t where （a ＝ 1）;
select f（a，b from t;
create table s (x struct<a:bigint comment 'c, with >', b:array<struct<c:string comment 'inner'>>> comment 'outer', y map<string,struct<z:int comment 'deep'>>);
desc s;
select cast(null as struct<a:bigint comment 'c'>) as n;
