using Microsoft.Extensions.Hosting;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Samples.Tests.Docs;

/// <summary>What the documentation shows is compiled and run.</summary>
[Collection("programs, one at a time")]
public sealed class SnippetTests
{
    public static TheoryData<string, string> Snippets()
    {
        var found = new TheoryData<string, string>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Built.RepositoryRoot, "docs"), "*.md", SearchOption.AllDirectories)
            .Append(Path.Combine(Built.RepositoryRoot, "README.md")).Order(StringComparer.Ordinal))
        {
            foreach (var block in Blocks(File.ReadAllLines(file))) found.Add(Path.GetRelativePath(Built.RepositoryRoot, file), block);
        }

        return found;
    }

    [Theory]
    [MemberData(nameof(Snippets))]
    public void Snippet_OfTheDocs_IsPartOfACompiledFile(string file, string block)
    {
        var sources = new[] { "samples", "tests", "src" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Built.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories))
            .Select(path => Normal(File.ReadLines(path)));

        Assert.True(sources.Any(source => source.Contains(block, StringComparison.Ordinal)), $"{file} shows what no source file has:\n{block}");
    }

    [Fact]
    public void Snippets_ReadmeAndGettingStarted_AreFound()
    {
        var files = Snippets().Select(row => ((string)row[0]).Replace('\\', '/')).ToList();

        Assert.Contains("README.md", files);
        Assert.Contains("docs/getting-started.md", files);
    }

    [Fact]
    public void Blocks_TextWithTwo_AreTheirLines() =>
        Assert.Equal(["\na;\n\nb;\n", "\nc;\n"], Blocks(["# x", "```csharp", "  a;", "", "    b;", "```", "```json", "{}", "```", "```csharp", "c;", "```"]));

    [Fact]
    public async Task ReadmeLauncher_EmbeddedCluster_TheGangSucceeds()
    {
        using var directory = new TempDirectory();
        var programs = Directory.CreateDirectory(directory["bin"]).FullName;
        var python = Path.Combine(programs, "python");
        await File.WriteAllTextAsync(python, $"#!/bin/sh\necho \"$1 as rank $RANK of $WORLD_SIZE\" > {directory.Path}/rank-$RANK\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(python, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions { NodeCount = 9 });
        cluster.AddImage("registry.example/gang-agent:1", Built.AgentDirectory);
        cluster.WriteKubeConfig(directory["kubeconfig"]);
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        var path = Environment.GetEnvironmentVariable("PATH");
        GangResult result;
        try
        {
            // An image of the embedded cluster has what the machine has: here a python that is not the machine's.
            Environment.SetEnvironmentVariable("PATH", $"{programs}:{path}");
            result = await ReadmeLauncher.RunAsync(builder, directory["kubeconfig"]).WaitAsync(Program.Patience);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }

        Assert.True(result.Succeeded, result.Outcome);
        Assert.Equal("train.py as rank 5 of 8", (await File.ReadAllTextAsync(directory["rank-5"])).Trim());
    }

    [Fact]
    public async Task GettingStarted_WorkerFailsOnce_RecoversAndSucceeds()
    {
        using var program = new Program(Built.GettingStarted, [Built.AgentDirectory]);
        var code = await program.EndAsync();

        Assert.True(code == 0, program.Output);
        Assert.Contains(program.Lines, l => l.StartsWith("failure: ApplicationError of trainer-1 ", StringComparison.Ordinal) && l.EndsWith("exit code 3, no luck", StringComparison.Ordinal));
        Assert.Contains("Succeeded after 2 attempts: every worker ended with exit code 0", program.Lines);
        Assert.Empty(program.LeftProcesses());
        Assert.Empty(program.LeftFiles);
    }

    private static IEnumerable<string> Blocks(IReadOnlyList<string> lines)
    {
        List<string>? block = null;
        foreach (var line in lines)
        {
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                if (block is not null) yield return Normal(block);
                block = block is null && line.Trim() == "```csharp" ? [] : null;
            }
            else
            {
                block?.Add(line);
            }
        }
    }

    /// <summary>Without indentation, each line between line feeds.</summary>
    private static string Normal(IEnumerable<string> lines) => $"\n{string.Concat(lines.Select(l => l.Trim() + "\n"))}";
}
