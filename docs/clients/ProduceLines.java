// Produces each line of standard input, "id<tab>line", keyed by its id; prints the partition and the id of each when all are there.
//
//   java -cp "$(scripts/kafka.sh jars)/*" docs/clients/ProduceLines.java BROKERS TOPIC < FILE
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

public class ProduceLines {
  public static void main(String[] arguments) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("linger.ms", "5");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    List<String> ids = new ArrayList<>();
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (String text = in.readLine(); text != null; text = in.readLine()) {
        int tab = text.indexOf('\t');
        ids.add(text.substring(0, tab));
        sent.add(producer.send(new ProducerRecord<>(arguments[1], text.substring(0, tab), text.substring(tab + 1))));
      }
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < ids.size(); ++i) out.append(sent.get(i).get().partition()).append('\t').append(ids.get(i)).append('\n');
    System.out.print(out);
  }
}
