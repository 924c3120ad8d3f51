using System.Diagnostics;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>An embedded cluster in another process, known only by its kubeconfigs. It ends with the process's input, also when the tests are killed.</summary>
internal sealed class SeparateCluster : IAsyncDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _directory;

    private SeparateCluster(Process process, DirectoryInfo directory)
    {
        _process = process;
        _directory = directory;
    }

    public string AdminKubeConfig => Path.Combine(_directory.FullName, "admin");

    /// <summary>Has exactly the rights of deploy/e2e/role.yaml.</summary>
    public string UserKubeConfig => Path.Combine(_directory.FullName, "user");

    public static async Task<SeparateCluster> StartAsync(int nodes)
    {
        var directory = Directory.CreateTempSubdirectory("gang-e2e-cluster-");
        var start = new ProcessStartInfo(
            EmbeddedTestCluster.Metadata("Supervisor"),
            ["cluster", $"{nodes}", directory.FullName, EmbeddedTestCluster.Metadata("Role"), EmbeddedTestCluster.Metadata("AgentDirectory")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var cluster = new SeparateCluster(Process.Start(start)!, directory);
        try
        {
            var line = await cluster._process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(120));
            return line == "ready" ? cluster : throw new InvalidOperationException($"The cluster did not start: {line}");
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using (var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60)))
        {
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        _process.Dispose();
        _directory.Delete(recursive: true);
    }
}
