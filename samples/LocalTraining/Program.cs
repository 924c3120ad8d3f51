using LocalTraining.Running;

return args is ["supervise", var request]
    ? await SupervisorProcess.RunAsync(request)
    : await CommandLine.RunAsync(args, MainJob.RunAsync);
