-- IN lists that the condition of a join brings together: NULL and columns among their items count.
create table t (k bigint, p string);
insert into t values (3, 'p1'), (0, 'p2'), (null, 'p3');
select a.k, b.p from t a join t b on a.k <=> b.k where a.k in (3, -1) and b.k not in (cast(null as bigint), -5, 0);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, 0) and b.k not in (null, 7);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, 0) and b.k not in (b.k, 7);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, 0) and b.k not in (if(b.p = 'p1', 3, 8), 7);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, -1) and b.k in (3, null);
select a.k, b.p from t a join t b on a.k <=> b.k where a.k in (3, -1, 9, 8) and b.k not in (cast(null as bigint), -5, 0, -5);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, 0, 9, 8) and b.k not in (b.k, 7, 6, 5);
select a.k, b.p from t a join t b on a.k = b.k where a.k in (3, 0, 9, 8) and b.k not in (if(b.p = 'p1', 3, 8), 7, 6, 5);
