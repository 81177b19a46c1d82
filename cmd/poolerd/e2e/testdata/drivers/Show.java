import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/**
 * Shows how pgjdbc behaves. What the lines that it prints mean is said by harness.py. Arguments: host, port, database, user, a regular
 * expression of the behaviours wanted, the folder of behaviours.txt, and prepareThreshold.
 */
public class Show {
    static final int LIMIT = 30_000; // milliseconds

    /** Where to connect to, and the connections of one behaviour. */
    record Target(String host, String port, String database, String user, String threshold, List<Connection> opened) {
        String url(Map<String, String> settings) {
            StringBuilder url = new StringBuilder("jdbc:postgresql://" + host + ":" + port + "/" + database + "?user=" + user);
            url.append("&sslmode=").append(System.getenv().getOrDefault("PGSSLMODE", "disable")).append("&loginTimeout=10&prepareThreshold=").append(threshold);
            StringBuilder options = new StringBuilder();
            settings.forEach((name, value) -> {
                if (name.equals("search_path")) {
                    url.append("&currentSchema=").append(encode(value));
                } else {
                    options.append("-c ").append(name).append("=").append(value).append(" ");
                }
            });
            return options.isEmpty() ? url.toString() : url + "&options=" + encode(options.toString().strip());
        }

        Connection connect(Map<String, String> settings) throws SQLException {
            return keep(DriverManager.getConnection(url(settings)));
        }

        Connection connectWith(String further) throws SQLException {
            return keep(DriverManager.getConnection(url(Map.of()) + "&" + further));
        }

        Connection keep(Connection c) {
            opened.add(c);
            return c;
        }

        void abandon() {
            for (Connection c : List.copyOf(opened)) {
                try {
                    c.abort(Runnable::run);
                } catch (SQLException e) {
                    // it is gone
                }
            }
        }
    }

    interface Behaviour {
        void show(Target target, AtomicInteger allowed) throws Exception;
    }

    static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    static void same(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("got " + brief(got) + ", want " + brief(want));
        }
    }

    static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() < 200 ? text : text.substring(0, 200) + "...";
    }

    static String describe(Throwable e) {
        String state = e instanceof SQLException s ? " " + s.getSQLState() : "";
        return (e instanceof AssertionError ? "" : e.getClass().getSimpleName() + state + ": ") + brief(e.getMessage());
    }

    public static void main(String[] args) throws Exception {
        Pattern wanted = Pattern.compile(args[4]);
        Map<String, Behaviour> all = new LinkedHashMap<>();
        for (Script.Section section : Script.read(Path.of(args[5], "behaviours.txt"))) {
            all.put(section.name(), (target, allowed) -> {
                Script script = new Script(target);
                try {
                    script.play(section.steps(), 0);
                } finally {
                    allowed.set(script.allowed);
                }
            });
        }
        Own.behaviours().forEach((name, behaviour) -> all.put(name, (target, allowed) -> behaviour.show(target)));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (var entry : all.entrySet()) {
            if (wanted.matcher(entry.getKey()).find()) {
                Target target = new Target(args[0], args[1], args[2], args[3], args[6], Collections.synchronizedList(new ArrayList<>()));
                out.println(attempt(entry.getKey(), target, entry.getValue()));
            }
        }
        out.flush();
        Runtime.getRuntime().halt(0); // whatever threads a behaviour given up has left
    }

    static String attempt(String name, Target target, Behaviour behaviour) throws InterruptedException {
        Throwable[] failure = {new AssertionError("no end after " + LIMIT / 1000 + " s")};
        AtomicInteger allowed = new AtomicInteger();
        Thread thread = new Thread(() -> {
            try {
                behaviour.show(target, allowed);
                failure[0] = null;
            } catch (Throwable e) {
                failure[0] = e;
            }
        });
        thread.setDaemon(true);
        thread.start();
        thread.join(LIMIT);
        Throwable failed = failure[0];
        target.abandon();
        String text = "{\"behaviour\": " + json(name) + ", \"allowed\": " + allowed + ", \"ok\": ";
        if (failed == null) {
            return text + "true}";
        }
        if (failed instanceof UnsupportedOperationException) {
            return text + "true, \"skip\": true, \"detail\": " + json(failed.getMessage()) + "}";
        }
        StringBuilder where = new StringBuilder();
        for (StackTraceElement e : failed.getStackTrace()) {
            if (e.getModuleName() == null && !e.getClassName().startsWith("org.")) {
                where.append(e).append("\n");
            }
        }
        return text + "false, \"detail\": " + json(describe(failed)) + ", \"where\": " + json(where.toString()) + "}";
    }

    static String json(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : String.valueOf(text).toCharArray()) {
            if (c < ' ' || c == '"' || c == '\\') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append("\"").toString();
    }
}
