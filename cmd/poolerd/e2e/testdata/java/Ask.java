import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;

/** pgjdbc as an application uses it: log in, ask, print the value. Arguments: the JDBC URL and the query. */
public class Ask {
    public static void main(String[] args) throws Exception {
        try (Connection c = DriverManager.getConnection(args[0]); ResultSet rows = c.createStatement().executeQuery(args[1])) {
            rows.next();
            System.out.println(rows.getString(1));
        }
    }
}
