using System.Globalization;
using TrainingSupervisor;
using TrainingSupervisor.EndToEnd.Tests;

// From a worker's SIGKILL to the release of all workers, on an embedded cluster, with where the time goes; and what it costs at the API.
// dotnet run -c Release --project tests/TrainingSupervisor.Benchmarks [workers] [recoveries]
// dotnet run -c Release --project tests/TrainingSupervisor.Benchmarks machine: what the state machine's steps cost for 10 to 10,000 workers
// dotnet run -c Release --project tests/TrainingSupervisor.Benchmarks loop: what the reports of healthy workers cost
if (args is ["machine"])
{
    MachineBenchmark.Run();
    return;
}

if (args is ["loop"])
{
    await LoopBenchmark.RunAsync();
    return;
}

var workers = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 8;
var recoveries = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 10;

await using var lab = await Lab.StartAsync(workers);
var gang = await lab.LaunchAsync(lab.Describe(workers, 0, "sleep", "3600"));
await lab.RunningAsync(gang, 1);
await lab.RecordedAsync(gang, 1);
var rows = new List<double[]>();
Console.WriteLine($"{workers} workers, SIGKILL of one worker process, all restarted in place; milliseconds");
Console.WriteLine("      detect  gather  decide+command  restart  release  workers start   total   supervisor  writes  lists");
for (var i = 0; i < recoveries; i++)
{
    var attempt = gang.Status.Attempt;
    lab.Embedded.Requests.Reset();
    await lab.Cluster.KillWorkerAsync(gang.Status.Workers[i % workers].Pod);
    await lab.RunningAsync(gang, attempt + 1);
    await lab.RecordedAsync(gang, attempt + 1);
    // The workers report no steps: the next failure closes the books, so look at the plan and the record of the released one.
    var t = gang.LastTiming ?? throw new InvalidOperationException("no timing");
    double Ms(DateTimeOffset? from, DateTimeOffset? to) => (to!.Value - from!.Value).TotalMilliseconds;
    var writes = lab.Embedded.Requests.Count(r => r.IsWrite && r.Resource != "leases");
    var lists = lab.Embedded.Requests.Count(r => r.Verb == "list");
    var gather = Ms(t.Detected, t.Decided);
    // The agents start their workers after that, here all on the same cores.
    var own = Ms(t.Decided, t.Commanded) + Ms(t.BarrierComplete, t.ReleaseSent);
    double[] row = [Ms(t.Failed, t.Detected), gather, Ms(t.Decided, t.Commanded), Ms(t.Commanded, t.BarrierComplete), Ms(t.BarrierComplete, t.ReleaseSent), Ms(t.ReleaseSent, t.Released), Ms(t.Failed, t.Released), own, writes, lists];
    rows.Add(row);
    Print((i + 1).ToString(CultureInfo.InvariantCulture), row);
    await Task.Delay(200);
}

Print("median", [.. Enumerable.Range(0, rows[0].Length).Select(c => rows.Select(r => r[c]).Order().ElementAt(rows.Count / 2))]);
await gang.StopAsync();

static void Print(string name, double[] r) => Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture, $"{name,-6}{r[0],6:0} {r[1],7:0} {r[2],15:0} {r[3],8:0} {r[4],8:0} {r[5],14:0} {r[6],7:0} {r[7],12:0} {r[8],7:0} {r[9],6:0}"));
