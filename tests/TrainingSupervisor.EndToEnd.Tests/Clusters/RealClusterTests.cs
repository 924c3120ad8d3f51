using System.Diagnostics;
using System.Xml.Linq;
using k8s;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>
/// The suite as it runs on a real cluster (docs/real-cluster.md), with nothing but a kubeconfig that has the documented rights. The
/// cluster here is an embedded one in another process.
/// </summary>
[Collection(nameof(OneAtATime))]
public sealed class RealClusterTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);
    private readonly string _directory = Directory.CreateTempSubdirectory("gang-e2e-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [EmbeddedFact("it runs all other tests on a separate one")]
    public async Task Suite_OnAClusterKnownByItsKubeconfig_PassesAndLeavesNothing()
    {
        await using var cluster = await SeparateCluster.StartAsync(3);
        var (code, output, results) = await RunSuiteAsync(cluster.UserKubeConfig);
        using var admin = new k8s.Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(cluster.AdminKubeConfig));
        var namespaces = (await admin.CoreV1.ListNamespaceAsync()).Items.Select(n => n.Metadata.Name).ToList();

        Assert.True(code == 0, output);
        Assert.Equal(["default", "kube-node-lease", "kube-public", "kube-system"], namespaces.Order(StringComparer.Ordinal));
        foreach (var (name, outcome, words) in results)
        {
            if (NeedsEmbedded(name)) Assert.True(outcome == "NotExecuted" && words.StartsWith("Only on the embedded cluster: ", StringComparison.Ordinal), $"{name}: {outcome} {words}");
            else Assert.True(outcome == "Passed", $"{name}: {outcome} {words}");
        }

        Assert.Equal(AllTests().Order(StringComparer.Ordinal), results.Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.Contains(results, r => r.Outcome == "Passed");
        await NoPodsAsync(admin);
    }

    private async Task<(int Code, string Output, List<(string Name, string Outcome, string Words)> Results)> RunSuiteAsync(string kubeConfig)
    {
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            ["test", typeof(RealClusterTests).Assembly.Location, "--logger", "trx;LogFileName=results.trx", "--results-directory", _directory])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["KUBECONFIG"] = kubeConfig,
            ["WORKER_IMAGE"] = "local/worker:1",
            ["AGENT_IMAGE"] = "local/gang-agent:1",
            ["ADVERTISE"] = "127.0.0.1",
            ["LISTEN"] = "127.0.0.1",
            ["PORT"] = $"{FreePort.Next()}",
        })
        {
            start.Environment["GANG_E2E_" + name] = value;
        }

        using var process = Process.Start(start)!;
        try
        {
            using var patience = new CancellationTokenSource(s_patience);
            var output = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, string.Join('\n', output), Results(Path.Combine(_directory, "results.trx")));
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static List<(string Name, string Outcome, string Words)> Results(string file) =>
        [.. XDocument.Load(file).Descendants().Where(e => e.Name.LocalName == "UnitTestResult").Select(e => (
            MethodOf(e.Attribute("testName")!.Value),
            e.Attribute("outcome")!.Value,
            string.Join(' ', e.Descendants().Where(d => d.Name.LocalName is "Message" or "StdOut").Select(d => d.Value)))).DistinctBy(r => r.Item1)];

    /// <summary>The cases of a theory, which is skipped as one or case by case, count as one test.</summary>
    private static string MethodOf(string testName) => testName.Split('(')[0];

    private static IEnumerable<(string Name, bool NeedsEmbedded)> Tests() =>
        from type in typeof(RealClusterTests).Assembly.GetTypes()
        from method in type.GetMethods()
        let fact = method.GetCustomAttributes(typeof(FactAttribute), inherit: false).FirstOrDefault()
        where fact is not null
        select ($"{type.FullName}.{method.Name}", fact is EmbeddedFactAttribute or EmbeddedTheoryAttribute);

    private static IEnumerable<string> AllTests() => Tests().Select(t => t.Name);

    private static bool NeedsEmbedded(string name) => Tests().First(t => t.Name == name).NeedsEmbedded;

    /// <summary>The Pods of a deleted namespace end in their own time.</summary>
    private static async Task NoPodsAsync(k8s.Kubernetes admin)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while ((await admin.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: patience.Token)).Items.Count > 0) await Task.Delay(50, patience.Token);
    }
}
