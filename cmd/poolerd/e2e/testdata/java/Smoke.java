import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;

/**
 * pgjdbc as applications use it: its named server statements ("S_1", ... in every client), batches, cursors, COPY, savepoints, generated
 * keys, many clients on few servers. Arguments: the JDBC URL, and how often a statement runs before it is prepared by name.
 */
public class Smoke {
    static final int CLIENTS = 20;
    static final int ROUNDS = 30;

    public static void main(String[] args) throws Exception {
        String url = args[0] + "&prepareThreshold=" + args[1];
        ExecutorService threads = Executors.newFixedThreadPool(CLIENTS);
        List<Future<?>> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            String tag = "jdbc-" + i;
            clients.add(threads.submit(() -> {
                client(url, tag);
                return null;
            }));
        }
        threads.shutdown();
        for (Future<?> client : clients) {
            client.get(2, TimeUnit.MINUTES);
        }
        System.out.println("pgjdbc " + org.postgresql.util.DriverInfo.DRIVER_FULL_NAME + " prepareThreshold " + args[1] + " ok");
    }

    static void client(String url, String tag) throws Exception {
        try (Connection c = DriverManager.getConnection(url)) {
            // The same statements in each client get the same names, with the tag in the text.
            try (PreparedStatement own = c.prepareStatement("SELECT '" + tag + "/' || ?")) {
                for (int round = 0; round < ROUNDS; round++) {
                    own.setString(1, "r" + round);
                    same(tag + "/r" + round, one(own.executeQuery()));
                    types(c, tag, round);
                    transaction(c, tag);
                    batch(c, tag);
                    cursor(c, tag);
                    copy(c, tag);
                }
            }
        }
    }

    static void types(Connection c, String tag, int round) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("SELECT ?::text, ?::int, ?::bigint, ?::numeric, ?::bytea, ?::timestamptz IS NULL")) {
            s.setString(1, tag);
            s.setInt(2, round);
            s.setLong(3, round * 10_000_000_000L);
            s.setBigDecimal(4, new java.math.BigDecimal("1.50"));
            s.setBytes(5, tag.getBytes());
            s.setObject(6, null);
            try (ResultSet r = s.executeQuery()) {
                r.next();
                same(tag, r.getString(1));
                same(round, r.getInt(2));
                same(round * 10_000_000_000L, r.getLong(3));
                same("1.50", r.getBigDecimal(4).toString());
                same(tag, new String(r.getBytes(5)));
                same(true, r.getBoolean(6));
            }
        }
    }

    static void transaction(Connection c, String tag) throws SQLException {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.executeUpdate("CREATE TEMPORARY TABLE kept (id serial, tag text) ON COMMIT DROP");
            try (PreparedStatement insert = c.prepareStatement("INSERT INTO kept (tag) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                insert.setString(1, tag);
                insert.executeUpdate();
                same("1", one(insert.getGeneratedKeys()));
            }
            Savepoint point = c.setSavepoint();
            try {
                s.executeQuery("SELECT '" + tag + "'::int");
                throw new AssertionError("an error was lost");
            } catch (SQLException e) {
                same("22P02", e.getSQLState());
                same(true, e.getMessage().contains(tag));
            }
            c.rollback(point);
            same(tag, one(s.executeQuery("SELECT tag FROM kept")));
        }
        c.rollback();
        c.setAutoCommit(true);
    }

    static void batch(Connection c, String tag) throws SQLException {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.executeUpdate("CREATE TEMPORARY TABLE many (tag text, n int) ON COMMIT DROP");
            try (PreparedStatement insert = c.prepareStatement("INSERT INTO many VALUES (?, ?)")) {
                for (int i = 0; i < 300; i++) {
                    insert.setString(1, tag);
                    insert.setInt(2, i);
                    insert.addBatch();
                }
                for (int n : insert.executeBatch()) {
                    same(1, n);
                }
            }
            same("300", one(s.executeQuery("SELECT count(*) FROM many WHERE tag = '" + tag + "'")));
        }
        c.commit();
        c.setAutoCommit(true);
    }

    /** Reads through a named portal, ten rows an Execute. */
    static void cursor(Connection c, String tag) throws SQLException {
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("SELECT ? || n FROM generate_series(1, 45) AS n")) {
            s.setFetchSize(10);
            s.setString(1, tag);
            int n = 0;
            try (ResultSet r = s.executeQuery()) {
                while (r.next()) {
                    same(tag + ++n, r.getString(1));
                }
            }
            same(45, n);
        }
        c.commit();
        c.setAutoCommit(true);
    }

    static void copy(Connection c, String tag) throws Exception {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.executeUpdate("CREATE TEMPORARY TABLE copied (tag text) ON COMMIT DROP");
        }
        var copies = c.unwrap(PGConnection.class).getCopyAPI();
        same(100L, copies.copyIn("COPY copied FROM STDIN", new StringReader((tag + "\n").repeat(100))));
        StringWriter out = new StringWriter();
        copies.copyOut("COPY copied TO STDOUT", out);
        same((tag + "\n").repeat(100), out.toString());
        c.commit();
        c.setAutoCommit(true);
    }

    static String one(ResultSet r) throws SQLException {
        try (r) {
            r.next();
            return r.getString(1);
        }
    }

    static void same(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }
}
