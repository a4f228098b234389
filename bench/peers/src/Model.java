import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;

/** The job's model: a running standardisation that includes the record itself, and a logistic score. Public, for Flink's POJOs. */
public class Model {
  public static final int NUMBERS = 12;
  public static final int INPUTS = 1 + NUMBERS + 4 + 8;  // Bias, numbers, the two categories one-hot.
  private static final double RATE = 0.01;

  public long records;  // In the moments.
  public long steps;    // Joined outcomes that have moved the weights.
  public double[] mean = new double[NUMBERS];
  public double[] squares = new double[NUMBERS];
  public double[] weights = new double[INPUTS];

  /** Adds the record to the moments, and scales it by them. */
  public double[] take(JsonNode log) {
    double[] x = new double[INPUTS];
    x[0] = 1;
    records++;
    for (int i = 0; i < NUMBERS; i++) {
      double value = log.get("f" + i).doubleValue();
      double distance = value - mean[i];
      mean[i] += distance / records;
      squares[i] += distance * (value - mean[i]);
      double deviation = Math.sqrt(squares[i] / Math.max(1, records - 1));
      x[1 + i] = deviation > 0 ? (value - mean[i]) / deviation : 0;
    }
    x[1 + NUMBERS + log.get("c0").textValue().charAt(0) - 'a'] = 1;
    x[1 + NUMBERS + 4 + log.get("c1").textValue().charAt(1) - '0'] = 1;
    return x;
  }

  public double score(double[] x) {
    double sum = 0;
    for (int i = 0; i < INPUTS; i++) sum += weights[i] * x[i];
    return 1 / (1 + Math.exp(-sum));
  }

  public void learn(double[] x, double label) {
    double step = RATE * (label - score(x));
    for (int i = 0; i < INPUTS; i++) weights[i] += step * x[i];
    steps++;
  }

  public byte[] bytes() {
    ByteBuffer out = ByteBuffer.allocate(16 + 8 * (2 * NUMBERS + INPUTS));
    out.putLong(records).putLong(steps);
    for (double[] part : new double[][] {mean, squares, weights}) put(out, part);
    return out.array();
  }

  /** A fresh one from null. */
  public static Model of(byte[] bytes) {
    Model model = new Model();
    if (bytes == null) return model;
    ByteBuffer in = ByteBuffer.wrap(bytes);
    model.records = in.getLong();
    model.steps = in.getLong();
    for (double[] part : new double[][] {model.mean, model.squares, model.weights}) get(in, part);
    return model;
  }

  public static byte[] bytesOf(double[] values) {
    ByteBuffer out = ByteBuffer.allocate(8 * values.length);
    put(out, values);
    return out.array();
  }

  public static double[] inputsOf(byte[] bytes) {
    double[] x = new double[INPUTS];
    get(ByteBuffer.wrap(bytes), x);
    return x;
  }

  private static void put(ByteBuffer out, double[] values) {
    for (double value : values) out.putDouble(value);
  }

  private static void get(ByteBuffer in, double[] values) {
    for (int i = 0; i < values.length; i++) values[i] = in.getDouble();
  }
}
