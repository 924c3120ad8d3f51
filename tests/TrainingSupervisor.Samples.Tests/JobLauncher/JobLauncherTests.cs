using System.Net;
using System.Net.Sockets;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Samples.Tests.JobLauncher;

/// <summary>The launcher as a user or a script calls it: what it says, and the exit code.</summary>
[Collection("programs, one at a time")]
public sealed class JobLauncherTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Launch_WorkersEndWell_Code0()
    {
        using var program = Launch("--embedded", "--workers", "3", "--", "sh", "-c", $"echo $RANK of $WORLD_SIZE > {_directory.Path}/$RANK");
        await EndsAsync(program, 0, "gang job: Succeeded after 1 attempt: every worker ended with exit code 0");

        Assert.Equal(["0 of 3", "1 of 3", "2 of 3"], Directory.EnumerateFiles(_directory.Path).Order(StringComparer.Ordinal).Select(f => File.ReadAllText(f).Trim()));
    }

    [Fact]
    public async Task Launch_SixMistakes_SixProblemsWithPathsAndCode64()
    {
        using var program = Launch("--name", "My_Job", "--namespace", "no such", "--workers", "0", "--spares", "-1", "--image", "", "--agent-image", "", "--", "true");
        await EndsAsync(program, 64);

        Assert.All(
            ["name: ", "namespace: ", "roles[worker].count: ", "roles[worker].spares: ", "roles[worker].image: ", "roles[worker].agent: "],
            path => Assert.Single(program.Lines, l => l.TrimStart('-', ' ').StartsWith(path, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("error: --workers must be a whole number, not 'three'", "--workers", "three", "--", "true")]
    [InlineData("error: Required argument missing for command: 'JobLauncher'.", "--embedded")]
    public async Task Launch_BadCommandLine_OneMessageAndCode64(string message, params string[] args)
    {
        using var program = Launch(args);

        Assert.Equal(64, await program.EndAsync());
        Assert.Equal([message, "--help lists the options"], program.Lines);
    }

    [Fact]
    public async Task Launch_KubeConfigIsMissing_NamesItAndCode64()
    {
        using var program = Launch("--kubeconfig", "/no/such/config", "--", "true");
        await EndsAsync(program, 64, "error: --kubeconfig /no/such/config: there is no such file");
    }

    [Fact]
    public async Task Launch_NoClusterAnywhere_SaysWhereItLookedAndCode69()
    {
        using var program = new Program(Built.JobLauncher, ["--", "true"], new Dictionary<string, string> { ["HOME"] = _directory.Path, ["KUBECONFIG"] = "" });
        await EndsAsync(program, 69);

        Assert.StartsWith("error: The kubeconfig cannot be used: ", program.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_KubeConfigIsNoYaml_SaysSoAndCode69()
    {
        using var program = Launch("--kubeconfig", _directory.Write("config", "{ this is : [ no yaml"), "--", "true");
        await EndsAsync(program, 69);

        Assert.Contains("error: The kubeconfig cannot be used: ", program.Output, StringComparison.Ordinal);
        Assert.Contains(_directory["config"], program.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_ConnectionRefused_NamesTheServerAndCode69()
    {
        int port;
        using (var closed = new TcpListener(IPAddress.Loopback, 0))
        {
            closed.Start();
            port = ((IPEndPoint)closed.LocalEndpoint).Port;
        }

        using var program = Launch("--kubeconfig", _directory.Write("config", KubeConfig($"http://127.0.0.1:{port}")), "--", "true");
        await EndsAsync(program, 69);

        Assert.StartsWith($"error: The API server at http://127.0.0.1:{port}/ cannot be reached: Connection refused", program.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_TokenWithoutRights_SaysTheRoleThatWouldHelpAndCode69()
    {
        await using var cluster = await EmbeddedCluster.StartAsync();
        using var program = Launch("--kubeconfig", _directory.Write("config", cluster.CreateKubeConfig(cluster.CreateToken("nobody"))), "--", "true");
        await EndsAsync(program, 69);

        Assert.Contains("""User "nobody" cannot""", program.Output, StringComparison.Ordinal);
        Assert.Contains("This Role would allow it:", program.Output, StringComparison.Ordinal);
        Assert.Contains("kind: Role", program.Output, StringComparison.Ordinal);
        Assert.Contains("resources: [\"leases\"]", program.Output.Replace('\'', '"'), StringComparison.Ordinal);
        Assert.DoesNotContain("token", program.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Launch_CommandDoesNotExist_NamesItAndCode1()
    {
        using var program = Launch("--embedded", "--workers", "2", "--", "no-such-program");
        await EndsAsync(program, 1);

        Assert.Contains("command not found: no-such-program", program.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_ImageCannotBeHad_NamesItAndCode1()
    {
        using var program = Launch("--embedded", "--workers", "1", "--image", "registry.invalid/train:1", "--", "true");
        await EndsAsync(program, 1);

        Assert.Contains("ImageUnavailable", program.Lines[^1], StringComparison.Ordinal);
        Assert.Contains("registry.invalid/train:1", program.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_CtrlCTwice_StopsTheGangAndCode130()
    {
        using var program = Launch("--embedded", "--workers", "2", "--", "sleep", "600");
        await program.SeenAsync("Running");
        Assert.NotEmpty(program.LeftProcesses());
        program.Signal(2);
        program.Signal(2);
        await EndsAsync(program, 130, "error: gang job was stopped and deleted");
    }

    [Fact]
    public async Task Launch_Help_ListsTheExitCodesOfTheReadme()
    {
        using var program = Launch("--help");

        Assert.Equal(0, await program.EndAsync());
        var readme = await File.ReadAllTextAsync(Path.Combine(Built.RepositoryRoot, "README.md"));
        foreach (var code in new[] { 0, 1, 64, 69, 70, 130 })
        {
            Assert.Matches($"(?m)^ *{code} +[a-z]", program.Output);
            Assert.Contains($"| {code} |", readme, StringComparison.Ordinal);
        }
    }

    private static Program Launch(params string[] args) => new(Built.JobLauncher, args);

    /// <summary>The code, one message at the end, no stack trace, and nothing left.</summary>
    private static async Task EndsAsync(Program program, int code, string? last = null)
    {
        var actual = await program.EndAsync();
        Assert.True(actual == code, $"{actual}: {program.Output}");
        if (last is not null) Assert.Equal(last, program.Lines[^1]);
        Assert.InRange(program.Lines.Count(l => l.StartsWith("error: ", StringComparison.Ordinal)), 0, 1);
        Assert.DoesNotContain("   at ", program.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", program.Output, StringComparison.Ordinal);
        Assert.Empty(program.LeftProcesses());
        Assert.Empty(program.LeftFiles);
    }

    private static string KubeConfig(string server) => $$"""
        apiVersion: v1
        kind: Config
        current-context: c
        clusters:
        - name: c
          cluster: { server: "{{server}}" }
        contexts:
        - name: c
          context: { cluster: c, user: u }
        users:
        - name: u
          user: { token: abc }
        """;
}
