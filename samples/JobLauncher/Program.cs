using System.CommandLine;
using JobLauncher;
using Samples.Shared;

var name = new Option<string>("--name") { Description = "The gang's name", DefaultValueFactory = _ => "job" };
var ns = new Option<string>("--namespace", "-n") { Description = "The namespace", DefaultValueFactory = _ => "default" };
var workers = Options.Number("--workers", "How many workers", 2);
var spares = Options.Number("--spares", "How many spares", 0);
var image = new Option<string>("--image") { Description = "The workers' image", DefaultValueFactory = _ => "local/worker:1" };
var agent = new Option<string>("--agent-image") { Description = "The agent's image", DefaultValueFactory = _ => Launcher.EmbeddedAgentImage };
var kubeconfig = new Option<string?>("--kubeconfig") { Description = "A kubeconfig file; default: as kubectl does" };
var embedded = new Option<bool>("--embedded") { Description = "Use an embedded Kubernetes in this process instead of a cluster" };
var advertise = new Option<string?>("--advertise") { Description = "The address that workers reach this process by" };
var detach = new Option<bool>("--keep-on-exit") { Description = "Leave the gang running on Ctrl-C: workers train on, and the next launcher of the same name takes over" };
var command = new Argument<string[]>("command") { Description = "The workers' command, after --", Arity = ArgumentArity.OneOrMore };

var root = new RootCommand($"Launches a gang and waits for its end.\n\nExit codes:\n{ExitCodes.Help}")
{
    name, ns, workers, spares, image, agent, kubeconfig, embedded, advertise, detach, command,
};
root.SetAction((parsed, token) => Launcher.RunAsync(
    new LaunchRequest(
        parsed.GetValue(name)!, parsed.GetValue(ns)!, parsed.GetValue(workers), parsed.GetValue(spares), parsed.GetValue(image)!,
        parsed.GetValue(agent)!, parsed.GetValue(kubeconfig), parsed.GetValue(embedded), parsed.GetValue(advertise),
        parsed.GetValue(detach), parsed.GetValue(command)!),
    token));
var result = root.Parse(args);
if (Options.SayMistakes(result)) return ExitCodes.BadInput;

// Our own handling of signals: the parser's would end the process while the gang is still being deleted.
using var interruption = new Interruption();
var code = await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, interruption.Token);
return code == ExitCodes.Stopped ? interruption.ExitCode ?? code : code;
