import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Timer;
import java.util.TimerTask;
import javax.sql.XAConnection;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.xa.PGXADataSource;

/** What pgjdbc does in its own way; the names are those of the same behaviours of the other clients. */
class Own {
    interface Behaviour {
        void show(Show.Target target) throws Exception;
    }

    static Map<String, Behaviour> behaviours() {
        Map<String, Behaviour> all = new LinkedHashMap<>();
        all.put("200 statements prepared under names", Own::statements);
        all.put("the driver evicts statements", Own::eviction);
        all.put("one name, two texts", Own::oneName);
        all.put("COPY in, 10,000 rows", Copies::copyIn);
        all.put("COPY out, 10,000 rows", Copies::copyOut);
        all.put("COPY out, given up half way", Copies::copyOutLeft);
        all.put("COPY in fails at a row", Copies::copyError);
        all.put("COPY in given up by the client", Copies::copyFail);
        all.put("COPY into a temporary table over transactions", Copies::copyTemporary);
        all.put("cancel a query", Own::cancel);
        all.put("cancel in a transaction", Own::cancelInTransaction);
        all.put("transactions of the driver", Own::transactions);
        all.put("savepoints of the driver", Own::savepoints);
        all.put("isolation and read only of the driver", Own::isolation);
        all.put("serialization failure", Own::serialization);
        all.put("batch", Own::batch);
        all.put("batch with an error in the middle", Own::batchError);
        all.put("server-side cursor", Own::cursor);
        all.put("1 MB parameter", Own::megabyte);
        all.put("20 MB parameter and result", Own::megabytes);
        all.put("large object of the driver", Own::largeObject);
        all.put("two-phase commit of the driver", Own::twoPhase);
        all.put("notices", Own::notices);
        all.put("settings that the driver is told of", Own::told);
        all.put("types of the database", Own::types);
        all.put("a statement described only", Own::describe);
        all.put("several results of one query", Own::results);
        all.put("schema of the driver", Own::schema);
        all.put("catalog queries of the driver", Own::catalog);
        return all;
    }

    static String value(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getString(1);
        }
    }

    static String value(PreparedStatement s) throws SQLException {
        try (ResultSet r = s.executeQuery()) {
            r.next();
            return r.getString(1);
        }
    }

    static void execute(Connection c, String... all) throws SQLException {
        try (Statement s = c.createStatement()) {
            for (String sql : all) {
                s.execute(sql);
            }
        }
    }

    interface Failing {
        void run() throws Exception;
    }

    static void fails(String state, Failing action) throws Exception {
        try {
            action.run();
        } catch (SQLException e) {
            Show.same(state, e.getSQLState());
            return;
        }
        throw new AssertionError("no error, but " + state + " was wanted");
    }

    static void statements(Show.Target t) throws SQLException {
        Connection a = t.connectWith("preparedStatementCacheQueries=500"), b = t.connectWith("preparedStatementCacheQueries=500");
        List<PreparedStatement> all = new ArrayList<>();
        for (int n = 0; n < 200; n++) {
            all.add(a.prepareStatement("SELECT ?::int * 1000 + " + n));
            all.add(b.prepareStatement("SELECT ?::int * -1000 - " + n));
        }
        for (int turn = 0; turn < 7; turn++) {
            for (int i = 0; i < all.size(); i++) {
                int want = turn * 1000 + i / 2;
                all.get(i).setInt(1, turn);
                Show.same("" + (i % 2 == 0 ? want : -want), value(all.get(i)));
            }
        }
    }

    static void eviction(Show.Target t) throws SQLException {
        Connection a = t.connectWith("preparedStatementCacheQueries=5");
        for (int turn = 0; turn < 10; turn++) {
            for (int n = 0; n < 12; n++) {
                for (int i = 0; i < 7; i++) {
                    try (PreparedStatement s = a.prepareStatement("SELECT ?::int + " + n)) {
                        s.setInt(1, turn);
                        Show.same("" + (turn + n), value(s));
                    }
                }
            }
        }
    }

    static void oneName(Show.Target t) throws SQLException {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        try (PreparedStatement sa = a.prepareStatement("SELECT 'a' || ?"); PreparedStatement sb = b.prepareStatement("SELECT 'b' || ? || 'b'")) {
            for (int turn = 0; turn < 20; turn++) {
                sa.setString(1, "" + turn);
                sb.setString(1, "" + turn);
                Show.same("a" + turn, value(sa));
                Show.same("b" + turn + "b", value(sb));
            }
        }
    }

    static void cancelling(Connection a, boolean timeout) throws Exception {
        Timer timer = new Timer(true);
        long begin = System.nanoTime();
        try (Statement s = a.createStatement()) {
            if (timeout) {
                s.setQueryTimeout(1);
            } else {
                timer.schedule(new TimerTask() {
                    @Override
                    public void run() {
                        try {
                            s.cancel();
                        } catch (SQLException e) {
                            throw new IllegalStateException(e);
                        }
                    }
                }, 300);
            }
            fails("57014", () -> s.execute("SELECT pg_sleep(20)"));
        }
        timer.cancel();
        if (System.nanoTime() - begin > 3_000_000_000L) {
            throw new AssertionError("the cancel took more than 3 s");
        }
    }

    static void cancel(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        for (boolean timeout : new boolean[] {false, true, false}) {
            cancelling(a, timeout);
            Show.same("1", value(a, "SELECT 1"));
            Show.same("2", value(b, "SELECT 2"));
        }
    }

    static void cancelInTransaction(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        a.setAutoCommit(false);
        execute(a, "CREATE TABLE never (n int)");
        cancelling(a, false);
        fails("25P02", () -> execute(a, "SELECT 1"));
        a.rollback();
        Show.same(null, value(a, "SELECT to_regclass('never')"));
        a.commit();
    }

    static void transactions(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        execute(b, "CREATE TABLE moves (n int)");
        a.setAutoCommit(false);
        for (int n = 0; n < 6; n++) {
            execute(a, "INSERT INTO moves VALUES (" + n + ")");
            Show.same("" + n / 2, value(b, "SELECT count(*) FROM moves"));
            if (n % 2 == 0) {
                a.rollback();
            } else {
                a.commit();
            }
        }
        fails("22012", () -> execute(a, "SELECT 1 / 0"));
        fails("25P02", () -> execute(a, "SELECT 1"));
        a.rollback();
        a.setAutoCommit(true);
        Show.same("1", value(a, "SELECT 1"));
        execute(b, "DROP TABLE moves");
    }

    static void savepoints(Show.Target t) throws Exception {
        Connection a = t.connectWith("autosave=always");
        execute(a, "CREATE TABLE nested (n int)");
        a.setAutoCommit(false);
        execute(a, "INSERT INTO nested VALUES (1)");
        Savepoint point = a.setSavepoint("point");
        execute(a, "INSERT INTO nested VALUES (2)");
        fails("22012", () -> execute(a, "SELECT 1 / 0"));
        Show.same("2", value(a, "SELECT count(*) FROM nested")); // autosave
        a.rollback(point);
        execute(a, "INSERT INTO nested VALUES (3)");
        a.releaseSavepoint(point);
        a.commit();
        Show.same("1,3", value(a, "SELECT string_agg(n::text, ',' ORDER BY n) FROM nested"));
        execute(a, "DROP TABLE nested");
        a.commit();
    }

    static void isolation(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        a.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        a.setReadOnly(true);
        a.setAutoCommit(false);
        for (int i = 0; i < 5; i++) {
            Show.same("serializable", value(a, "SHOW transaction_isolation"));
            Show.same(Connection.TRANSACTION_READ_COMMITTED, b.getTransactionIsolation());
            fails("25006", () -> execute(a, "INSERT INTO kept (v) VALUES ('never')"));
            a.rollback();
        }
        a.setReadOnly(false);
        a.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        a.setAutoCommit(true);
        Show.same("read committed", value(a, "SHOW transaction_isolation"));
        Show.same("off", value(a, "SHOW transaction_read_only"));
    }

    static void serialization(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        execute(a, "CREATE TABLE counters AS SELECT 0 AS n");
        for (Connection c : new Connection[] {a, b}) {
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            c.setAutoCommit(false);
            Show.same("0", value(c, "SELECT n FROM counters"));
        }
        execute(a, "UPDATE counters SET n = n + 1");
        a.commit();
        fails("40001", () -> execute(b, "UPDATE counters SET n = n + 1"));
        b.rollback();
        execute(b, "UPDATE counters SET n = n + 1");
        b.commit();
        Show.same("2", value(a, "SELECT n FROM counters"));
        execute(a, "DROP TABLE counters");
        a.commit();
    }

    static void batch(Show.Target t) throws Exception {
        for (String rewrite : new String[] {"false", "true"}) {
            Connection a = t.connectWith("reWriteBatchedInserts=" + rewrite);
            execute(a, "CREATE TABLE batched (n int, t text)");
            try (PreparedStatement s = a.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
                for (int n = 0; n < 1000; n++) {
                    s.setInt(1, n);
                    s.setString(2, "row " + n);
                    s.addBatch();
                }
                Show.same(1000, s.executeBatch().length);
            }
            Show.same("1000", value(a, "SELECT count(*) FROM batched"));
            try (PreparedStatement s = a.prepareStatement("INSERT INTO batched VALUES (?, '')", Statement.RETURN_GENERATED_KEYS)) {
                for (int n = 0; n < 300; n++) {
                    s.setInt(1, n);
                    s.addBatch();
                }
                s.executeBatch();
                int n = 0;
                for (ResultSet keys = s.getGeneratedKeys(); keys.next(); n++) {
                    Show.same(n, keys.getInt(1));
                }
                Show.same(300, n);
            }
            execute(a, "DROP TABLE batched");
        }
    }

    static void batchError(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        execute(a, "CREATE TABLE batched (n int PRIMARY KEY)");
        a.setAutoCommit(false);
        for (int i = 0; i < 3; i++) {
            try (PreparedStatement s = a.prepareStatement("INSERT INTO batched VALUES (?)")) {
                for (int n = 0; n < 400; n++) {
                    s.setInt(1, n % 350);
                    s.addBatch();
                }
                s.executeBatch();
                throw new AssertionError("no error");
            } catch (BatchUpdateException e) {
                Show.same("23505", e.getSQLState());
            }
            a.rollback();
            Show.same("0", value(a, "SELECT count(*) FROM batched"));
        }
        execute(a, "DROP TABLE batched");
        a.commit();
    }

    static void cursor(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        a.setAutoCommit(false);
        for (int turn = 0; turn < 8; turn++) {
            try (PreparedStatement s = a.prepareStatement("SELECT n FROM generate_series(1, 1000) AS n WHERE n > ?")) {
                s.setFetchSize(100);
                s.setInt(1, turn);
                int sum = 0;
                try (ResultSet r = s.executeQuery()) {
                    while (r.next()) {
                        sum += r.getInt(1);
                        if (r.getInt(1) % 100 == 50) {
                            Show.same("between", value(a, "SELECT 'between'"));
                        }
                    }
                }
                Show.same(500_500 - turn * (turn + 1) / 2, sum);
            }
            a.commit();
        }
    }

    static void megabyte(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        try (PreparedStatement s = a.prepareStatement("SELECT md5(?)")) {
            for (int i = 0; i < 7; i++) {
                s.setString(1, "é".repeat(500_000));
                Show.same(value(a, "SELECT md5(repeat('é', 500000))"), value(s));
            }
        }
    }

    static void megabytes(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        byte[] data = new byte[20 << 20];
        new Random(7).nextBytes(data);
        try (PreparedStatement s = a.prepareStatement("SELECT ?::bytea")) {
            s.setBytes(1, data);
            try (ResultSet r = s.executeQuery()) {
                r.next();
                Show.same(true, Arrays.equals(data, r.getBytes(1)));
            }
        }
    }

    static void largeObject(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        a.setAutoCommit(false);
        LargeObjectManager objects = a.unwrap(PGConnection.class).getLargeObjectAPI();
        long oid = objects.createLO();
        byte[] data = new byte[500_000];
        new Random(8).nextBytes(data);
        try (LargeObject o = objects.open(oid, LargeObjectManager.WRITE)) {
            o.write(data);
        }
        a.commit();
        try (LargeObject o = objects.open(oid, LargeObjectManager.READ)) {
            o.seek(100_000);
            Show.same(true, Arrays.equals(Arrays.copyOfRange(data, 100_000, 100_500), o.read(500)));
        }
        objects.delete(oid);
        a.commit();
    }

    record Id(byte[] global, byte[] branch) implements Xid {
        @Override
        public int getFormatId() {
            return 7;
        }

        @Override
        public byte[] getGlobalTransactionId() {
            return global;
        }

        @Override
        public byte[] getBranchQualifier() {
            return branch;
        }
    }

    static void twoPhase(Show.Target t) throws Exception {
        PGXADataSource source = new PGXADataSource();
        source.setUrl(t.url(Map.of()));
        XAConnection xa = source.getXAConnection();
        Connection a = t.keep(xa.getConnection()), b = t.connect(Map.of());
        XAResource resource = xa.getXAResource();
        for (boolean commit : new boolean[] {true, false}) {
            Xid id = new Id(t.database().getBytes(), new byte[] {1});
            resource.start(id, XAResource.TMNOFLAGS);
            execute(a, "INSERT INTO kept (v) VALUES ('xa')");
            resource.end(id, XAResource.TMSUCCESS);
            resource.prepare(id);
            Show.same("0", value(b, "SELECT count(*) FROM kept WHERE v = 'xa'"));
            Show.same(1, resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN).length);
            if (commit) {
                resource.commit(id, false);
            } else {
                resource.rollback(id);
            }
            Show.same(commit ? "1" : "0", value(b, "SELECT count(*) FROM kept WHERE v = 'xa'"));
            execute(b, "DELETE FROM kept WHERE v = 'xa'");
        }
        xa.close();
    }

    static void notices(Show.Target t) throws Exception {
        for (String tag : new String[] {"a", "b"}) {
            Connection c = t.connect(Map.of());
            try (Statement s = c.createStatement()) {
                s.execute("DO $$ BEGIN RAISE NOTICE 'to " + tag + "'; RAISE WARNING 'also'; END $$");
                SQLWarning w = s.getWarnings();
                Show.same("to " + tag + ", also", w.getMessage() + ", " + w.getNextWarning().getMessage());
                s.execute("SET client_min_messages = warning");
                s.clearWarnings();
                s.execute("DO $$ BEGIN RAISE NOTICE 'never'; END $$");
                Show.same(null, s.getWarnings());
            }
        }
    }

    static void told(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connectWith("ApplicationName=from-the-start");
        PGConnection pa = a.unwrap(PGConnection.class), pb = b.unwrap(PGConnection.class);
        Show.same("from-the-start", pb.getParameterStatus("application_name"));
        execute(a, "SET TimeZone = 'Europe/Berlin'");
        for (int i = 0; i < 10; i++) {
            Show.same("Europe/Berlin UTC", value(a, "SHOW TimeZone") + " " + value(b, "SHOW TimeZone"));
            Show.same("Europe/Berlin UTC", pa.getParameterStatus("TimeZone") + " " + pb.getParameterStatus("TimeZone"));
        }
        a.setAutoCommit(false);
        execute(a, "SET TimeZone = 'Asia/Tokyo'");
        Show.same("Asia/Tokyo", pa.getParameterStatus("TimeZone"));
        a.rollback();
        Show.same("Europe/Berlin", pa.getParameterStatus("TimeZone"));
        a.setAutoCommit(true);
        a.setClientInfo("ApplicationName", "named-later");
        Show.same("named-later from-the-start", value(a, "SHOW application_name") + " " + value(b, "SHOW application_name"));
        execute(a, "RESET TimeZone");
        Show.same("UTC", pa.getParameterStatus("TimeZone"));
    }

    static void types(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of("search_path", "s1,public"));
        try (PreparedStatement s = a.prepareStatement("SELECT ARRAY['red', 'blue']::colour[], ROW(1, 'x')::pair, ?::colour, ?::uuid")) {
            for (int i = 0; i < 7; i++) {
                s.setString(1, "blue");
                s.setObject(2, new java.util.UUID(1, i));
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    Show.same("{red,blue} (1,x) blue " + new java.util.UUID(1, i),
                        r.getArray(1) + " " + r.getObject(2) + " " + r.getString(3) + " " + r.getObject(4));
                }
            }
        }
    }

    static void describe(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        for (int i = 0; i < 7; i++) {
            try (PreparedStatement s = a.prepareStatement("SELECT ?::int AS n, ?::text AS t, id FROM kept")) {
                Show.same("int4 text", s.getParameterMetaData().getParameterTypeName(1) + " " + s.getParameterMetaData().getParameterTypeName(2));
                Show.same("n t id 3", s.getMetaData().getColumnName(1) + " " + s.getMetaData().getColumnName(2) + " " + s.getMetaData().getColumnName(3) + " "
                    + s.getMetaData().getColumnCount());
            }
            fails("42P01", () -> a.prepareStatement("SELECT * FROM missing").getMetaData());
        }
    }

    static void results(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        try (Statement s = a.createStatement()) {
            List<String> got = new ArrayList<>();
            for (boolean rows = s.execute("SELECT 1; SELECT 2 WHERE false; SELECT 3"); rows; rows = s.getMoreResults()) {
                got.add(Script.column(s.getResultSet()));
            }
            Show.same(List.of("1", "", "3"), got);
        }
        fails("22012", () -> execute(a, "INSERT INTO kept (v) VALUES ('undone'); SELECT 1 / 0; SELECT 3"));
        Show.same("0", value(a, "SELECT count(*) FROM kept WHERE v = 'undone'"));
    }

    static void schema(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of("search_path", "s2"));
        a.setSchema("s1");
        try (PreparedStatement sa = a.prepareStatement("SELECT v FROM doc"); PreparedStatement sb = b.prepareStatement("SELECT v FROM doc")) {
            for (int i = 0; i < 10; i++) {
                Show.same("1 zwei", value(sa) + " " + value(sb));
                Show.same("s1 s2", a.getSchema() + " " + b.getSchema());
            }
        }
    }

    static void catalog(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        for (int i = 0; i < 3; i++) {
            try (ResultSet r = a.getMetaData().getColumns(null, "s1", "doc", "%")) {
                r.next();
                Show.same("v int4", r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME"));
            }
        }
    }
}
