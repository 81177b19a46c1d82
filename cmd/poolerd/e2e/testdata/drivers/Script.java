import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

/** Carries out one behaviour of behaviours.txt, which says what its lines mean, with pgjdbc. */
class Script {
    /** A section of the file: lines, or lines to repeat. */
    record Section(String name, List<Step> steps) {}

    record Step(int line, String text, int count, List<Step> steps) {}

    /** A connection with what it has prepared and heard. */
    static class Session {
        final Connection conn;
        final Map<String, PreparedStatement> prepared = new HashMap<>();
        final Deque<String[]> heard = new ArrayDeque<>();

        Session(Connection conn) {
            this.conn = conn;
        }
    }

    static final Pattern STEP = Pattern.compile("(\\w+)([:*~]?) (.*)");

    final Show.Target target;
    final Map<String, Session> sessions = new HashMap<>();
    int allowed;

    Script(Show.Target target) {
        this.target = target;
    }

    static List<Section> read(Path path) throws Exception {
        List<Section> all = new ArrayList<>();
        Deque<List<Step>> open = new ArrayDeque<>();
        int number = 0;
        for (String line : Files.readAllLines(path)) {
            number++;
            line = line.stripTrailing();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            if (line.startsWith("== ")) {
                open.clear();
                open.push(new ArrayList<>());
                all.add(new Section(line.substring(3), open.peek()));
            } else if (line.startsWith("repeat ")) {
                List<Step> steps = new ArrayList<>();
                open.peek().add(new Step(number, line, Integer.parseInt(line.substring(7)), steps));
                open.push(steps);
            } else if (line.equals("end")) {
                open.pop();
            } else {
                open.peek().add(new Step(number, line, 0, null));
            }
        }
        return all;
    }

    void play(List<Step> steps, int turn) throws Exception {
        for (Step step : steps) {
            for (int i = 1; i <= step.count; i++) {
                play(step.steps, i);
            }
            if (step.count > 0) {
                continue;
            }
            String text = step.text.replace("%i", "" + turn).replace("%d", target.database());
            try {
                step(text);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("line " + step.line + ": " + text + ": " + Show.describe(e), e);
            }
        }
    }

    Session session(String name) throws SQLException {
        Session found = sessions.get(name);
        if (found == null) {
            found = new Session(target.connect(Map.of()));
            sessions.put(name, found);
        }
        return found;
    }

    void step(String text) throws Exception {
        Matcher part = STEP.matcher(text);
        if (!part.matches()) {
            throw new AssertionError("this is no step");
        }
        String name = part.group(1), rest = part.group(3);
        if (!part.group(2).isEmpty()) {
            statement(session(name), part.group(2), rest);
            return;
        }
        String[] words = rest.split(" ", 2);
        String argument = words.length > 1 ? words[1] : "";
        switch (words[0]) {
            case "open" -> {
                Map<String, String> settings = new HashMap<>();
                for (String setting : argument.split(" ")) {
                    settings.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
                }
                sessions.put(name, new Session(target.connect(settings)));
            }
            case "close" -> sessions.remove(name).conn.close();
            case "silent" -> Show.same(null, notification(session(name), 0));
            case "heard" -> hears(session(name), argument, 0);
            case "hears" -> hears(session(name), argument, 5000);
            default -> throw new AssertionError("no such verb");
        }
    }

    static String[] cut(String text, String mark) {
        int i = text.lastIndexOf(mark);
        return i < 0 ? new String[] {text, null} : new String[] {text.substring(0, i), text.substring(i + mark.length()).strip()};
    }

    void statement(Session session, String kind, String rest) throws Exception {
        String[] codes = cut(rest, " !!");
        String[] want = cut(codes[0], " =>");
        String[] params = cut(want[0], " <-");
        String got;
        try {
            got = run(session, kind, params[0], params[1] == null ? new String[0] : params[1].split(" \\| "));
        } catch (SQLException e) {
            if (codes[1] == null || !List.of(codes[1].split("\\|")).contains(e.getSQLState())) {
                throw e;
            }
            if (want[1] != null) {
                allowed++;
            }
            return;
        }
        if (want[1] != null) {
            Show.same(want[1], got);
        } else if (codes[1] != null) {
            throw new AssertionError("no error, but " + got);
        }
    }

    String run(Session session, String kind, String sql, String[] params) throws SQLException {
        if (kind.equals(":") && params.length == 0 || kind.equals("~")) {
            try (Statement s = session.conn.createStatement()) {
                boolean rows = s.execute(sql);
                if (kind.equals("~")) {
                    while (s.getMoreResults() || s.getUpdateCount() != -1) {
                        // to the last
                    }
                    return "";
                }
                return rows ? column(s.getResultSet()) : "";
            }
        }
        PreparedStatement s = session.prepared.get(sql);
        if (s == null || kind.equals(":")) {
            s = session.conn.prepareStatement(params.length == 0 ? sql : sql.replaceAll("\\$\\d+", "?"));
            session.prepared.put(sql, s);
        }
        for (int i = 0; i < params.length; i++) {
            s.setString(i + 1, params[i]);
        }
        return s.execute() ? column(s.getResultSet()) : "";
    }

    static String column(ResultSet rows) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                String value = rows.getString(1);
                values.add(value == null ? "NULL" : value);
            }
        }
        return String.join(",", values);
    }

    static String[] notification(Session session, int wait) throws SQLException {
        if (session.heard.isEmpty()) {
            PGConnection conn = session.conn.unwrap(PGConnection.class);
            PGNotification[] got = wait == 0 ? conn.getNotifications() : conn.getNotifications(wait);
            for (PGNotification n : got == null ? new PGNotification[0] : got) {
                session.heard.add(new String[] {n.getName(), n.getParameter()});
            }
        }
        return session.heard.poll();
    }

    static void hears(Session session, String text, int wait) throws SQLException {
        String[] want = text.split(" ", 2);
        String payload = want.length > 1 ? want[1] : "";
        String[] got = notification(session, wait);
        if (got == null) {
            throw new AssertionError("heard nothing");
        }
        if (payload.startsWith("length ")) {
            got[1] = "length " + got[1].length();
        }
        Show.same(want[0] + " " + payload, got[0] + " " + got[1]);
    }
}
