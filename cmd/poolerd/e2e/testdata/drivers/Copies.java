import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.util.Map;
import org.postgresql.PGConnection;

/** Of Own's behaviours, those of COPY. */
class Copies {
    static String rows(int n) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < n; i++) {
            text.append(i).append("\n");
        }
        return text.toString();
    }

    static void copyIn(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        Own.execute(a, "CREATE TABLE copied (n int)");
        Show.same(10_000L, a.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY copied FROM STDIN", new StringReader(rows(10_000))));
        Show.same("49995000", Own.value(a, "SELECT sum(n) FROM copied"));
        Own.execute(a, "DROP TABLE copied");
    }

    static void copyOut(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        StringWriter out = new StringWriter();
        a.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT generate_series(0, 9999)) TO STDOUT", out);
        Show.same(rows(10_000), out.toString());
        Show.same("1", Own.value(a, "SELECT 1"));
    }

    static void copyOutLeft(Show.Target t) {
        throw new UnsupportedOperationException("also direct, the driver's cancel may hit the statement after the COPY");
    }

    static void copyError(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        Own.execute(a, "CREATE TABLE half (n int CHECK (n < 5000))");
        for (int i = 0; i < 3; i++) {
            Own.fails("23514", () -> a.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY half FROM STDIN", new StringReader(rows(10_000))));
            Show.same("0", Own.value(a, "SELECT count(*) FROM half"));
        }
        Own.execute(a, "DROP TABLE half");
    }

    static void copyFail(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of());
        Own.execute(a, "CREATE TABLE half (n int)");
        Reader broken = new Reader() {
            int left = 20;

            @Override
            public int read(char[] buffer, int offset, int length) throws IOException {
                if (left-- == 0) {
                    throw new IOException("given up");
                }
                buffer[offset] = '1';
                buffer[offset + 1] = '\n';
                return 2;
            }

            @Override
            public void close() {}
        };
        try {
            a.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY half FROM STDIN", broken);
            throw new AssertionError("no error");
        } catch (IOException e) {
            Show.same("given up", e.getMessage());
        }
        Show.same("0", Own.value(a, "SELECT count(*) FROM half"));
        Own.execute(a, "DROP TABLE half");
    }

    static void copyTemporary(Show.Target t) throws Exception {
        Connection a = t.connect(Map.of()), b = t.connect(Map.of());
        Own.execute(a, "CREATE TEMP TABLE props (n int)");
        Own.execute(b, "CREATE TEMP TABLE props (n int)");
        for (int i = 0; i < 5; i++) {
            a.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY props FROM STDIN", new StringReader(rows(100)));
            b.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY props FROM STDIN", new StringReader(rows(50)));
        }
        Show.same("500", Own.value(a, "SELECT count(*) FROM props"));
        Show.same("250", Own.value(b, "SELECT count(*) FROM props"));
    }
}
